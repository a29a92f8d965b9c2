"""The models on this machine that have a name: the embedded ones and those of the Hub's cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers_ls.errors import ModelError
from transformers_ls.hub.adapters import adapter_base, is_adapter, mismatches
from transformers_ls.hub.cache import CachedModel, cached_models
from transformers_ls.hub.embedded import list_embedded
from transformers_ls.hub.facts import ModelFacts, model_facts
from transformers_ls.hub.resolve import resolve

__all__ = ["Listed", "list_models"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A model and what its files say."""

    name: str
    title: str
    origin: Literal["embedded", "cache"]
    folder: Path | None
    """Where it is; None for an embedded model that is not installed."""
    size: int
    """Bytes on the disk."""
    license: str
    """Of an embedded model."""
    facts: ModelFacts | None
    """None for what is not installed, and for an adapter whose base is not here."""
    base: str = ""
    """Of an adapter, the model that it is put on."""
    problems: tuple[str, ...] = ()
    """What keeps it from running, or is worth knowing, in words."""


def list_models() -> list[Listed]:
    """Return the embedded models, installed or not, and then the cached ones by name."""
    embedded = [
        Listed(
            item.model.name,
            item.model.title,
            "embedded",
            item.folder,
            item.size,
            item.model.license.title,
            model_facts(item.folder) if item.folder else None,
        )
        for item in list_embedded()
    ]
    return embedded + [_cached(model) for model in cached_models()]


def _cached(model: CachedModel) -> Listed:
    facts: ModelFacts | None
    base, problems = "", []
    if is_adapter(model.folder):
        base = adapter_base(model.folder) or "?"
        try:
            found = resolve(model.name)
        except ModelError as error:
            facts, problems = None, [str(error)]
        else:
            whole = found.problem is None
            facts = model_facts(found.folder, model.folder) if whole else None
            problems = mismatches(model.folder, found.folder) if whole else [str(found.problem)]
    else:
        facts = model_facts(model.folder)
    return Listed(
        model.name, model.name, "cache", model.folder, model.size, "", facts, base, tuple(problems)
    )

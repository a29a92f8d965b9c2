"""What a model's name means on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from transformers_ls.errors import ModelBrokenError, ModelNotFoundError, NetworkError, UsageError
from transformers_ls.hub.adapters import adapter_base, has_template, has_tokenizer, is_adapter
from transformers_ls.hub.cache import cached_snapshot
from transformers_ls.hub.catalogue import EMBEDDED
from transformers_ls.hub.embedded import installed_folder
from transformers_ls.hub.names import FILES, looks_like_a_path, unknown_model
from transformers_ls.hub.snapshot import MODEL_FILES, ask_hub

__all__ = ["Origin", "ResolvedModel", "resolve"]

Origin = Literal["embedded", "folder", "file", "cache", "hub"]

_HUB_ID = re.compile(
    r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*|[\w-][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?", re.ASCII
)
_USEFUL = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tekken.json",
    "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tiktoken.model",
    "adapter_config.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that was found."""

    name: str
    """What the user called it."""
    folder: Path
    """Absolute: the folder that holds it, or the tokenizer's or `.gguf` file it is; of a model with
    an adapter, the base."""
    origin: Origin
    """How it was found: installed by us, a path, in the Hub's cache, or fetched just now."""
    adapter: Path | None = None
    """The folder of the PEFT adapter that is put on it."""
    problem: ModelNotFoundError | None = None
    """Why it cannot run: of an adapter whose base is not here, there is only the tokenizer."""

    @property
    def tokenizer(self) -> Path:
        """Where its tokenizer is: with the adapter, if that was trained with one of its own."""
        own = self.adapter is not None and has_tokenizer(self.adapter)
        return self.adapter if own and self.adapter else self.folder

    @property
    def template(self) -> Path:
        """Where its chat template is: with the adapter, if that was trained with one of its own."""
        own = self.adapter is not None and has_template(self.adapter)
        return self.adapter if own and self.adapter else self.folder


def resolve(model: str, *, allow_network: bool = False) -> ResolvedModel:
    """Find a model by the name of an embedded one, a path, or a Hub id (`org/name[@revision]`).

    `base+adapter` is a model with a PEFT adapter on it, both named in any of these ways. An adapter
    alone is put on the model that its adapter_config.json names.

    Reads the disk, so call it off the event loop. Nothing is run and nothing is loaded.

    Args:
        model: The name.
        allow_network: Whether a Hub id that is not in the cache may be fetched.

    Raises:
        ModelNotFoundError: Nothing here answers to that name.
        ModelBrokenError: The path is there, but is not a model.
        NetworkError: The Hub was asked and did not give it.
    """
    name = model.strip()
    if not name:
        raise UsageError("No model is named.", f"Try one of: {', '.join(EMBEDDED)}.")
    if "+" in name and _local(name) is None:
        return _composed(name, allow_network=allow_network)
    found = _plain(name, allow_network=allow_network)
    if not is_adapter(found.folder):
        return found
    try:
        base = _base_of(found, allow_network=allow_network)
    except ModelNotFoundError as error:
        if has_tokenizer(found.folder):
            return replace(found, problem=error)
        raise
    return replace(base, name=name, origin=found.origin, adapter=found.folder)


def _composed(name: str, *, allow_network: bool) -> ResolvedModel:
    """Find a base with an adapter. Paths may hold a `+` too: the last one that parts them counts."""
    places = [place for place, letter in enumerate(name) if letter == "+"]
    pairs = [(name[:place].strip(), name[place + 1 :].strip()) for place in reversed(places)]
    first, last = next((pair for pair in pairs if _local(pair[1]) is not None), pairs[0])
    if not first or not last:
        raise UsageError(f"{name!r} lacks a name beside the `+`.", "Write `BASE+ADAPTER`.")
    base = _plain(first, allow_network=allow_network)
    adapter = _plain(last, allow_network=allow_network)
    if is_adapter(base.folder) or not is_adapter(adapter.folder):
        wrong, what = (first, "an adapter") if is_adapter(base.folder) else (last, "no adapter")
        raise ModelBrokenError(
            f"In {name}, {wrong} is {what}.", "Write `BASE+ADAPTER`: one model, one adapter."
        )
    return replace(base, name=name, adapter=adapter.folder)


def _base_of(adapter: ResolvedModel, *, allow_network: bool) -> ResolvedModel:
    """Find the model that an adapter was trained on."""
    name = adapter_base(adapter.folder)
    hint = f"Name the base yourself: `BASE+{adapter.name}`."
    if name is None:
        raise ModelBrokenError(
            f"The adapter {adapter.name} does not say which model it is for.", hint
        )
    # An embedded model is a published one under a name of ours.
    own = [
        model.name
        for model in EMBEDDED.values()
        if model.hub_id == name and installed_folder(model.name) is not None
    ]
    try:
        return _plain(name, allow_network=allow_network)
    except ModelNotFoundError as error:
        if own:
            return _plain(own[0], allow_network=False)
        raise ModelNotFoundError(
            f"{adapter.name} is an adapter for {name}, which is not on this machine.",
            f"Fetch it (`hf download {name}`), or {hint[0].lower()}{hint[1:]}",
        ) from error


def _plain(name: str, *, allow_network: bool) -> ResolvedModel:
    """Find a model or an adapter by its own name."""
    if name in EMBEDDED:
        if (folder := installed_folder(name)) is not None:
            return ResolvedModel(name, folder.resolve(), "embedded")
        raise ModelNotFoundError(
            f"The embedded model {name} is not installed.",
            f"Install it with `transformers-ls models install {name}`.",
        )
    if (found := _local(name)) is not None:
        return found
    if (match := _HUB_ID.fullmatch(name)) is None:
        raise unknown_model(name)
    repo, revision = match["repo"], match["revision"]
    if (snapshot := cached_snapshot(repo, _USEFUL, revision)) is not None:
        return ResolvedModel(name, snapshot, "cache")
    if not allow_network or "/" not in repo:
        raise unknown_model(name, repo)
    return ResolvedModel(name, _fetched(repo, revision), "hub")


def _local(name: str) -> ResolvedModel | None:
    """Return the model at a path, when there is something; broken ones are said so."""
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            if any((path / file).is_file() for file in _USEFUL) or any(path.glob("*.tiktoken")):
                return ResolvedModel(name, path.resolve(), "folder")
            # A folder may be called like a model in the cache; only a clear path is an error.
            if looks_like_a_path(name):
                raise ModelBrokenError(
                    f"The folder {name} holds neither a model nor a tokenizer.",
                    f"A model's folder holds at least one of {', '.join(_USEFUL)}.",
                )
            return None
        if path.is_file():
            if path.suffix in FILES:
                return ResolvedModel(name, path.resolve(), "file")
            raise ModelBrokenError(
                f"The file {name} is neither a tokenizer.json nor a .gguf file, nor a vocabulary.",
                "Name the folder that holds the model instead.",
            )
    except (OSError, ValueError, RuntimeError):  # Too long, a null character, no such home.
        return None
    return None


def _fetched(repo: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    answer = ask_hub(repo, revision)
    if isinstance(answer, str):
        raise NetworkError(
            f"{repo} cannot be fetched: {answer}.", "Check the name and the network."
        )
    try:
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=list(MODEL_FILES),
            library_name="transformers-ls",
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise NetworkError(
            f"{repo} could not be fetched from the Hub ({type(error).__name__}).",
            "Check the network and try again.",
        ) from error
    return Path(folder)

"""PEFT adapters: trained weights of a few megabytes that belong to a base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers_ls.hub.config_files import read_config

__all__ = ["adapter_base", "has_template", "has_tokenizer", "is_adapter", "mismatches"]

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, and not a whole model beside it."""
    return (folder / CONFIG).is_file() and not any(folder.glob("model*.safetensors"))


def adapter_base(folder: Path) -> str | None:
    """Return the name of the model that an adapter was trained on, by its own word."""
    config = read_config(folder / CONFIG)
    name, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not isinstance(name, str) or not name:
        return None
    return f"{name}@{revision}" if isinstance(revision, str) and revision else name


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder brings a tokenizer."""
    return any((folder / name).is_file() for name in _TOKENIZERS)


def has_template(folder: Path) -> bool:
    """Whether a folder brings a chat template."""
    return bool(_template(folder))


def mismatches(adapter: Path, base: Path) -> list[str]:
    """Say in words where an adapter's own tokenizer or chat template is not its base's.

    The adapter's are used, since it was trained with them; but a user who takes it for the base with
    some training should know.
    """
    found = []
    name = adapter.name
    own, other = _vocabulary(adapter), _vocabulary(base)
    if own and other and own != other:
        found.append(
            f"The tokenizer of the adapter {name} has {own:,} tokens and the one of its base "
            f"{other:,}: the adapter's is used."
        )
    if (template := _template(adapter)) and template != (other_template := _template(base)):
        none = "" if other_template else ", which has none"
        found.append(
            f"The chat template of the adapter {name} is not the one of its base{none}: "
            "the adapter's is used."
        )
    return found


def _vocabulary(folder: Path) -> int:
    """Return how many tokens the tokenizer.json of a folder has; 0 when it does not say."""
    if not folder.is_dir():
        return 0
    model = read_config(folder / "tokenizer.json")
    vocabulary = (model.get("model") or {}).get("vocab")
    if not isinstance(vocabulary, dict | list):
        return 0
    added = model.get("added_tokens") or []
    known = vocabulary if isinstance(vocabulary, dict) else {piece[0] for piece in vocabulary}
    return len(vocabulary) + sum(1 for token in added if token.get("content") not in known)


def _template(folder: Path) -> Any:
    """Return a folder's chat templates, as they stand in the first file that has some."""
    for name in _TEMPLATES:
        try:
            return (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return read_config(folder / "tokenizer_config.json").get("chat_template")

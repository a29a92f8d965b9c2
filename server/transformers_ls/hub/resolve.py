"""What a model's name means on this machine."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers_ls.errors import ModelBrokenError, ModelNotFoundError, NetworkError, UsageError
from transformers_ls.hub.catalogue import EMBEDDED
from transformers_ls.hub.embedded import installed_folder
from transformers_ls.hub.snapshot import MODEL_FILES, ask_hub

__all__ = ["Origin", "ResolvedModel", "resolve"]

Origin = Literal["embedded", "folder", "file", "cache", "hub"]

_HUB_ID = re.compile(
    r"(?P<repo>[\w-][\w.-]*/[\w-][\w.-]*|[\w-][\w.-]*)(?:@(?P<revision>[\w][\w./-]*))?", re.ASCII
)
_USEFUL = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "tekken.json",
    "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tiktoken.model",
)  # fmt: skip
_FILES = {".json", ".gguf", ".model", ".spm", ".tiktoken"}


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that was found."""

    name: str
    """What the user called it."""
    folder: Path
    """Absolute: the folder that holds it, or the tokenizer's or `.gguf` file it is."""
    origin: Origin
    """How it was found: installed by us, a path, in the Hub's cache, or fetched just now."""


def resolve(model: str, *, allow_network: bool = False) -> ResolvedModel:
    """Find a model by the name of an embedded one, a path, or a Hub id (`org/name[@revision]`).

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
        raise _unknown(name)
    repo, revision = match["repo"], match["revision"]
    if (snapshot := _cached(repo, revision)) is not None:
        return ResolvedModel(name, snapshot, "cache")
    if not allow_network or "/" not in repo:
        raise _unknown(name)
    return ResolvedModel(name, _fetched(repo, revision), "hub")


def _local(name: str) -> ResolvedModel | None:
    """Return the model at a path, when there is something; broken ones are said so."""
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            if any((path / file).is_file() for file in _USEFUL) or any(path.glob("*.tiktoken")):
                return ResolvedModel(name, path.resolve(), "folder")
            # A folder may be called like a model in the cache; only a clear path is an error.
            if _looks_like_a_path(name):
                raise ModelBrokenError(
                    f"The folder {name} holds neither a model nor a tokenizer.",
                    f"A model's folder holds at least one of {', '.join(_USEFUL)}.",
                )
            return None
        if path.is_file():
            if path.suffix in _FILES:
                return ResolvedModel(name, path.resolve(), "file")
            raise ModelBrokenError(
                f"The file {name} is neither a tokenizer.json nor a .gguf file, nor a vocabulary.",
                "Name the folder that holds the model instead.",
            )
    except (OSError, ValueError, RuntimeError):  # Too long, a null character, no such home.
        return None
    return None


def _looks_like_a_path(name: str) -> bool:
    return name.startswith((".", "~")) or Path(name).is_absolute() or name.count("/") > 1


def _cached(repo: str, revision: str | None) -> Path | None:
    """Return the repository's snapshot in the Hub's cache, without the network."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        for file in _USEFUL:
            found = try_to_load_from_cache(repo, file, revision=revision)
            if isinstance(found, str):
                return Path(found).parent
    except (HFValidationError, OSError):
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


def _unknown(name: str) -> ModelNotFoundError:
    close = difflib.get_close_matches(name, [*EMBEDDED, *_cached_ids()], n=3, cutoff=0.5)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    if _looks_like_a_path(name) or name.endswith(tuple(_FILES)):
        return ModelNotFoundError(f"There is no {name}.{meant}", "Check the path.")
    return ModelNotFoundError(
        f"No model on this machine is called {name!r}.{meant}",
        f"Name an embedded model ({', '.join(EMBEDDED)}), a folder, a tokenizer.json, a .gguf "
        "file, or a Hub id that was downloaded before (`hf download ID`).",
    )


def _cached_ids() -> list[str]:
    """Return the ids of the models in the Hub's cache, by its folders' names alone."""
    from huggingface_hub.constants import HF_HUB_CACHE

    prefix = "models--"
    try:
        folders = [path.name for path in Path(HF_HUB_CACHE).iterdir()]
    except OSError:
        return []
    return [name[len(prefix) :].replace("--", "/") for name in folders if name.startswith(prefix)]

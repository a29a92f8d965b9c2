"""What a tokenizer is made of: its files, their limits, and a fingerprint of their contents."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers_ls.errors import ModelBrokenError, ModelNotFoundError

__all__ = ["Source", "find_source", "fingerprint"]

FORMAT = "3"
"""Part of every fingerprint: raise it when what the cache holds changes its meaning."""

LARGEST = 128 * 1024 * 1024
"""No known tokenizer.json is half as large; loading one takes about ten times its size."""

_GGUF_HEAD = 32 * 1024 * 1024
_LIBRARIES = ("transformers", "tokenizers", "fastokens", "gigatoken")
# What AutoTokenizer reads, whatever the family. The weights are not among them.
_FILES = (
    "tokenizer.json", "tokenizer_config.json", "config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model",
    "tekken.json", "spiece.model", "sentencepiece.bpe.model", "source.spm", "target.spm",
    "tiktoken.model", "vocab.bpe", "params.json", "processor_config.json", "preprocessor_config.json",
)  # fmt: skip


_BESIDE = {"config.json", "params.json", "processor_config.json", "preprocessor_config.json"}
"""Files that no tokenizer is made of."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tokenizer as the user named it."""

    kind: Literal["folder", "file", "gguf", "sentencepiece", "tiktoken", "tekken"]
    path: Path
    files: tuple[Path, ...]

    @property
    def tokenizer_json(self) -> Path | None:
        """The tokenizer.json, where there is one."""
        if self.kind == "file":
            return self.path
        return next((file for file in self.files if file.name == "tokenizer.json"), None)


def find_source(path: Path) -> Source:
    """Look at what a path holds, without reading more than its ends.

    Raises:
        ModelNotFoundError: Nothing is there, or no tokenizer.
        ModelBrokenError: It cannot be a tokenizer: too large, empty, cut off.
    """
    if path.is_dir():
        files = tuple(file for name in _FILES if (file := path / name).is_file())
        files += tuple(sorted({*path.glob("*.tiktoken"), *path.glob("*.spm")} - {*files}))
        if all(file.name in _BESIDE for file in files):
            raise ModelNotFoundError(
                f"The folder {path.name} holds no tokenizer.",
                "A tokenizer is a tokenizer.json, or the files that AutoTokenizer reads.",
            )
        named = [file for file in files if file.name not in _BESIDE]
        # Only a vocabulary: transformers would not know what to make of the folder.
        kind = _kind(named[0]) if len(named) == 1 else "file"
        if kind in ("tiktoken", "tekken"):
            source = Source(kind, named[0], (named[0],))
        else:
            source = Source("folder", path, files)
    elif not path.is_file():
        raise ModelNotFoundError(
            f"There is no {path.name} at {path.parent}.", "Check the path in the settings."
        )
    else:
        source = Source(_kind(path), path, (path,))
    try:
        _check(source)
    except OSError as error:
        raise ModelBrokenError(
            f"{path.name} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    return source


def _kind(path: Path) -> Literal["file", "gguf", "sentencepiece", "tiktoken", "tekken"]:
    """Return what a file is, by its name as transformers does, and its first bytes."""
    if path.suffix == ".gguf":
        return "gguf"
    if path.suffix == ".json":
        return "tekken" if "tekken" in path.name else "file"
    if path.suffix == ".tiktoken":
        return "tiktoken"
    if path.suffix in (".model", ".spm"):
        # A tiktoken file is called so too (Llama 3, Kimi): lines of Base64 and a number.
        with path.open("rb") as file:
            first = file.read(200).split(b"\n")[0]
        return "tiktoken" if re.fullmatch(rb"[A-Za-z0-9+/=]+ \d+", first) else "sentencepiece"
    return "file"


def _check(source: Source) -> None:
    if source.kind == "gguf":
        with source.path.open("rb") as stream:
            if stream.read(4) != b"GGUF":
                raise ModelBrokenError(
                    f"{source.path.name} is not a GGUF file.", "Download it again."
                )
        return
    for file in source.files:
        size = file.stat().st_size
        if size > LARGEST:
            raise ModelBrokenError(
                f"{file.name} has {size / 2**20:,.0f} MB: no tokenizer is that large.",
                "Check that the file is the tokenizer and not the weights.",
            )
        if file.suffix == ".json":
            with file.open("rb") as stream:
                stream.seek(max(0, size - 256))
                tail = stream.read().rstrip()
            if not tail.endswith((b"}", b"]")):
                raise ModelBrokenError(
                    f"{file.name} is cut off: its end is missing.", "Download it again."
                )


def fingerprint(source: Source) -> str:
    """Return a name for exactly these files, read by exactly these libraries."""
    digest = hashlib.sha256(f"{FORMAT} {source.kind}".encode())
    for library in _LIBRARIES:
        digest.update(f" {library} {_version(library)}".encode())
    for path in source.files:
        status = path.stat()
        digest.update(f"\0{path.name}\0{status.st_size}\0".encode())
        with path.open("rb") as file:
            if source.kind == "gguf":
                # The vocabulary stands before the weights, of which there may be gigabytes.
                digest.update(f"{status.st_mtime_ns}\0".encode())
                digest.update(file.read(_GGUF_HEAD))
            else:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _version(package: str) -> str:
    # Hundreds of modules in all, which the server's start does not wait for.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "none"

"""llama.cpp's GGUF vocabularies and the tokens that it expects of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.llama_cpp_sdist import sdist_models_dir

_SEPARATOR = "\n__ggml_vocab_test__\n"


@dataclass(frozen=True)
class Vocabulary:
    """One vocabulary: a .gguf file without weights, texts, and the ids of each text."""

    name: str
    path: Path
    texts: list[str]
    ids: list[list[int]]


def vocabularies() -> dict[str, Vocabulary]:
    """Return all vocabularies that come with test vectors; fetches them if need be."""
    found = {}
    for path in sorted(sdist_models_dir().glob("ggml-vocab-*.gguf")):
        texts, ids = path.with_name(f"{path.name}.inp"), path.with_name(f"{path.name}.out")
        if texts.is_file() and ids.is_file():
            name = path.stem.removeprefix("ggml-vocab-")
            rows = [[int(token) for token in row.split()] for row in ids.read_text().splitlines()]
            # What stands behind the last separator is not a text.
            inputs = texts.read_bytes().decode().split(_SEPARATOR)[: len(rows)]
            found[name] = Vocabulary(name, path, inputs, rows)
    return found

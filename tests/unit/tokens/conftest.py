"""Real tokenizers, and the reference that they are held to."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import transformers_ls
from tests.support.llama_cpp_sdist import UnavailableError, dev_cache_dir
from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.hub.catalogue import EMBEDDED
from transformers_ls.paths import models_dir
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.tokenizers import load_counter

NAMES = [
    "llama-3.1",
    "qwen3",
    "llama-2",
    pytest.param("smollm2-135m", marks=pytest.mark.models),
    pytest.param("gemma3-270m", marks=pytest.mark.models),
]


@pytest.fixture(autouse=True)
def cache_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of exported tokenizers that lasts as long as the code that fills it is the same."""
    server = Path(transformers_ls.__file__).parent.parent
    code = [*(server / "transformers_ls" / "tokens").glob("*.py")]
    code.append(server / "transformers_ls_worker" / "export_tokenizer.py")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(code))).hexdigest()
    folder = dev_cache_dir() / "exported" / digest[:16]
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(folder))
    return folder


def folder_of(name: str) -> Path:
    """Return a tokenizer's folder, or skip."""
    if name in EMBEDDED:
        folder = models_dir() / name
        if not (folder / "tokenizer.json").is_file():
            pytest.skip(f"the embedded model {name} is not installed (make models)")
        return folder
    try:
        return tokenizer_folder(name)
    except UnavailableError as error:
        pytest.skip(f"{name} cannot be fetched: {error}")


@cache
def _reference(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@cache
def _counter(folder: Path) -> Counter:
    return load_counter(folder)


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest) -> Path:
    return folder_of(request.param)


@pytest.fixture
def reference(folder: Path) -> Any:
    return _reference(folder)


@pytest.fixture
def counter(folder: Path) -> Counter:
    return _counter(folder)


@pytest.fixture
def qwen3() -> Counter:
    return _counter(folder_of("qwen3"))

"""The tiny models, made once a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import tiny_encoders, tiny_models
from tests.support.inference import Inference

SCRIPT = (
    "zero one two three four five six seven eight nine ten eleven twelve. Schöne Grüße, 日本 🙂!"
)


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="the worker's packages are not installed")
    return tmp_path_factory.mktemp("tiny-models")


def _folder(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def llama(models_root: Path) -> Path:
    return tiny_models.random_llama(_folder(models_root, "tiny-llama"))


@pytest.fixture(scope="session")
def gpt2(models_root: Path) -> Path:
    return tiny_models.random_gpt2(_folder(models_root, "tiny-gpt2"))


@pytest.fixture(scope="session")
def reciter(models_root: Path) -> Path:
    return tiny_models.reciter(_folder(models_root, "reciter"), SCRIPT)


@pytest.fixture(scope="session")
def pickled(models_root: Path, llama: Path) -> Path:
    return tiny_models.pickled(models_root / "pickled", llama)


@pytest.fixture(scope="session")
def encoders(models_root: Path) -> Callable[..., Path]:
    """Make each kind of encoder once; a `copy` is one of its own, to be changed."""
    made: dict[str, Path] = {}

    def make(family: str, head: str, *, copy: str = "", **config: Any) -> Path:
        key = repr((family, head, copy, sorted(config.items(), key=str)))
        if key not in made:
            name = f"{family}-{head}-{len(made)}"
            made[key] = tiny_encoders.encoder(models_root / name, family, head, **config)
        return made[key]

    return make


@pytest.fixture(scope="session")
def infer(models_root: Path) -> Inference:
    return Inference()

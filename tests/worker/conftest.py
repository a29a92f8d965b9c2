"""The tiny models, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import tiny_models

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

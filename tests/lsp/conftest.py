"""A server with a scripted engine and a tiny real tokenizer, on loopback in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.engine import ScriptedEngine
from tests.support.session import Session, session
from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.lsp.server import create_server


@pytest.fixture(scope="package", autouse=True)
def _own_folders(tmp_path_factory):
    """Keep the tests out of the user's caches; one cache for the session makes loading fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TRANSFORMERS_LS_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    """A chat model's folder: tokenizer and template, and weights that nothing loads."""
    folder = make_tokenizer(tmp_path_factory.mktemp("models") / "tiny-chat")
    _pretend_weights(folder)
    return str(folder)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory) -> str:
    """A base model's folder: no chat template."""
    folder = make_tokenizer(tmp_path_factory.mktemp("models") / "tiny-base", chat=False)
    _pretend_weights(folder)
    return str(folder)


def _pretend_weights(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["LlamaForCausalLM"]
    (folder / "config.json").write_text(json.dumps(config))
    # An empty but valid safetensors file: an eight-byte length and a header.
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine("A ", "short ", "answer.")


@pytest.fixture
def settings(model) -> dict:
    return {"tokenizers": [model], "models": {"chat": model, "translation": model}}


@pytest.fixture
async def client(engine, settings):
    """An initialized session whose tokenizer is loaded."""
    server = create_server()
    server.engine = engine
    async with session(server, settings) as client:
        await client.initialize()
        await client.until(lambda: server.configuration.all_tokenizers() == settings["tokenizers"])
        await client.ready(*settings["tokenizers"])
        yield client


@pytest.fixture
async def bare_client(engine):
    """A session that has not been initialized."""
    server = create_server()
    server.engine = engine
    async with session(server) as client:
        yield client


__all__ = ["Session"]

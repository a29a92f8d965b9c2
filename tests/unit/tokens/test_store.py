"""The store of tokenizers: loaded once, in the background, with an answer for everything."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from transformers_ls.errors import ModelNotFoundError
from transformers_ls.tokens.store import Entry, TokenizerStore


class Gate:
    """A loader that waits until it is let through, and remembers what it loaded."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.loaded: list[Path] = []

    def __call__(self, path: Path) -> Any:
        assert self.open.wait(10)
        self.loaded.append(path)
        return object()


def resolve(model: str) -> Path:
    if model == "missing":
        raise ModelNotFoundError("No model is named missing.", "Check the name.")
    if model == "odd":
        raise ZeroDivisionError("odd")
    return Path("/models") / model.partition("@")[0]


async def test_a_tokenizer_is_loading_and_then_ready() -> None:
    changes: list[Entry] = []
    gate = Gate()
    store = TokenizerStore(resolve, changes.append, gate)
    assert store.get("a").state == "loading"
    assert (await store.await_ready("a", timeout=0.01)).state == "loading"
    gate.open.set()
    entry = await store.await_ready("a", timeout=10)
    assert entry.state == "ready"
    assert entry.counter is not None
    assert entry.folder == Path("/models/a")
    assert store.get("a") is entry
    assert await store.await_ready("a", timeout=10) is entry
    assert [*map(str, gate.loaded)] == ["/models/a"]
    assert store.entries() == [entry]


def test_changes_are_told() -> None:
    changes: list[Entry] = []
    told = threading.Event()
    gate = Gate()
    gate.open.set()
    store = TokenizerStore(resolve, lambda entry: (changes.append(entry), told.set()), gate)
    entry = store.wait("a")
    assert told.wait(10)
    assert changes == [entry]


def test_names_of_the_same_files_share_one_counter() -> None:
    gate = Gate()
    store = TokenizerStore(resolve, None, gate)
    for model in ("a", "a@main", "a"):
        store.get(model)
    gate.open.set()
    assert store.wait("a").counter is store.wait("a@main").counter
    assert len(gate.loaded) == 1


def test_failures_say_why_and_can_be_tried_again() -> None:
    gate = Gate()
    gate.open.set()
    store = TokenizerStore(resolve, None, gate)
    missing = store.wait("missing")
    assert (missing.state, missing.message) == (
        "failed",
        "No model is named missing. Check the name.",
    )
    assert store.wait("odd").state == "failed"
    first = store.wait("a").counter
    store.reload()
    assert store.entries() == []
    assert store.wait("a").counter is not first


async def test_many_wait_for_one_load_and_one_of_them_is_cancelled() -> None:
    gate = Gate()
    store = TokenizerStore(resolve, None, gate)
    waiting = [asyncio.create_task(store.await_ready("a", timeout=10)) for _ in range(4)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    gate.open.set()
    entries = await asyncio.gather(*waiting)
    assert {entry.state for entry in entries} == {"ready"}
    assert len(gate.loaded) == 1

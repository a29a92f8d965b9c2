"""All objects are searched for garbage when a search is due and nobody waits."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from transformers_ls.lsp import garbage
from transformers_ls.lsp.garbage import IdleCollector


class Searches:
    """Stands for `gc`: how many searches of the middle generation there were, and full ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, middle: int) -> None:
        self.middle = middle
        self.full = 0
        self.done = asyncio.Event()
        looked = SimpleNamespace(get_count=self.get_count, collect=self.collect)
        monkeypatch.setattr(garbage, "gc", looked)
        monkeypatch.setattr(garbage, "_EVERY_SECONDS", 0.001)
        self.looks = 0

    def get_count(self) -> tuple[int, int, int]:
        self.looks += 1
        if self.looks > 5:
            self.done.set()
        return (0, 0, self.middle)

    def collect(self) -> None:
        self.full += 1
        self.middle = 0


@pytest.mark.parametrize(("middle", "full"), [(500, 1), (1, 0)])
async def test_a_search_when_one_is_due(
    monkeypatch: pytest.MonkeyPatch, middle: int, full: int
) -> None:
    searches = Searches(monkeypatch, middle)
    collector = IdleCollector(lambda: 0.0)
    collector.start()
    await searches.done.wait()
    collector.close()
    assert searches.full == full


async def test_none_while_messages_come(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = Searches(monkeypatch, 500)
    asked = 0

    def last_message() -> float:
        nonlocal asked
        asked += 1
        if asked > 5:
            searches.done.set()
        return time.monotonic()

    collector = IdleCollector(last_message)
    collector.start()
    await searches.done.wait()
    collector.close()
    assert searches.full == 0

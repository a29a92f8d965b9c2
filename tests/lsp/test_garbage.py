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
        looked = SimpleNamespace(get_count=lambda: (0, 0, self.middle), collect=self.collect)
        monkeypatch.setattr(garbage, "gc", looked)
        monkeypatch.setattr(garbage, "_EVERY_SECONDS", 0.001)

    def collect(self) -> None:
        self.full += 1
        self.middle = 0


@pytest.mark.parametrize(
    ("middle", "quiet", "asked", "full"),
    [
        (500, 3.0, False, 1),
        (1, 3.0, False, 0),
        (500, 0.0, False, 0),
        (500, 3.0, True, 0),
        (500, 70.0, True, 1),
    ],
)
async def test_a_search_when_one_is_due_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch, middle: int, quiet: float, asked: bool, full: int
) -> None:
    searches = Searches(monkeypatch, middle)
    looks = 0
    looked = asyncio.Event()

    def last_message() -> float:
        nonlocal looks
        looks += 1
        if looks > 5:
            looked.set()
        return time.monotonic() - quiet

    collector = IdleCollector(last_message, lambda: asked)
    collector.start()
    await looked.wait()
    collector.close()
    assert searches.full == full

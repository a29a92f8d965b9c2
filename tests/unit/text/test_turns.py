"""Threads give way to an event loop that has something to do, and to nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace

import pytest

from transformers_ls.text import turns
from transformers_ls.text.turns import give_way, polite_loop


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each thread has waited, each time that it did."""
    seen: list[float] = []
    monkeypatch.setattr(turns, "time", SimpleNamespace(sleep=seen.append))
    return seen


def test_a_thread_waits_for_a_busy_loop_but_not_for_ever(pauses: list[float]) -> None:
    done = threading.Event()

    def work() -> None:
        give_way()
        done.set()

    async def main() -> None:
        threading.Thread(target=work).start()
        # The loop does not come back to its selector before the thread has gone on.
        assert done.wait(60)

    with asyncio.Runner(loop_factory=polite_loop) as runner:
        runner.run(main())
    assert 0 < sum(pauses) < 0.01


def test_a_thread_does_not_wait_for_a_loop_that_waits(pauses: list[float]) -> None:
    def work(loop: asyncio.AbstractEventLoop) -> None:
        while loop._selector.busy:  # type: ignore[attr-defined]
            time.sleep(0.001)
        pauses.clear()
        give_way()

    async def main() -> None:
        await asyncio.to_thread(work, asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=polite_loop) as runner:
        runner.run(main())
    assert pauses == []


def test_a_loop_does_not_give_way_to_itself(pauses: list[float]) -> None:
    async def main() -> None:
        give_way()
        await asyncio.sleep(0)
        give_way()

    with asyncio.Runner(loop_factory=polite_loop) as runner:
        runner.run(main())
    assert pauses == []


def test_a_loop_that_is_closed_is_forgotten(pauses: list[float]) -> None:
    loop = polite_loop()
    loop.run_until_complete(asyncio.sleep(0))  # It stops while it has something to do.
    loop.close()
    loop.close()
    thread = threading.Thread(target=give_way)
    thread.start()
    thread.join()
    assert pauses == []

"""A worker that nobody uses ends, and a run that comes later has a new one."""

import asyncio
import sys
from contextlib import aclosing

import pytest

from tests.support.fake_worker import fake_python
from tests.unit.engines.test_local_faults import ANSWER, HOLD, state, text_of
from transformers_ls.engines import idle
from transformers_ls.engines.idle import IdleTimer
from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.resolve import ResolvedModel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")


@pytest.fixture
async def make(tmp_path, monkeypatch):
    monkeypatch.setattr(idle, "_LEAST_SECONDS", 0.01)
    made = []

    def build(body, keep_alive):
        engine = LocalEngine(
            render_chat=None,
            resolve=lambda name: ResolvedModel(name, tmp_path, "folder"),
            python=fake_python(tmp_path, body),
            end_seconds=0.2,
            keep_alive=lambda: keep_alive,
        )
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.close()


async def test_an_idle_worker_ends_and_the_next_run_starts_one(make):
    engine = make(ANSWER, 0)
    for _ in range(2):
        assert await text_of(engine) == "hi"
        assert engine.status().state == "idle"
        process = engine._worker._process
        await state(engine, "stopped")
        assert engine.status().pid is None
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_worker_started_ahead_of_time_ends_too(make):
    engine = make(ANSWER, 0)
    await engine.start()
    await state(engine, "stopped")


async def test_a_run_that_comes_while_the_last_worker_ends_waits_for_it(make):
    """Two workers at once would want the memory twice."""
    engine = make(ANSWER.replace("break", "time.sleep(0.1); break"), 0)
    assert await text_of(engine) == "hi"
    first = engine._worker
    await state(engine, "stopped")
    ended = []
    engine.on_change = lambda: ended.append((engine.status().state, first.ended))
    assert await text_of(engine) == "hi"
    assert ("idle", False) not in ended
    assert ("busy", True) in ended


async def test_a_worker_stays_while_it_computes(make):
    """Also after the run was stopped, until the worker says that it computes no more."""
    engine = make(
        HOLD.format(on_abort="time.sleep(0.2); done(message.run_id, 'abort')", on_shutdown="break"),
        0,
    )
    stream = engine.text_generation("p", model="m", max_new_tokens=5)
    states, stopped = [], asyncio.Event()

    def note():
        states.append((engine.status().state, engine.status().pid))
        if states[-1] == ("stopped", None):
            stopped.set()

    async with asyncio.timeout(60), aclosing(stream):
        await anext(stream)
        pid = engine.status().pid
    engine.on_change = note
    await asyncio.wait_for(stopped.wait(), 60)
    assert states[0] == ("idle", pid)


async def test_a_negative_time_means_for_ever():
    acted = []
    timer = IdleTimer(lambda: -1.0, lambda: acted.append("left"))
    with timer.used():
        pass
    assert timer._handle is None


async def test_the_time_counts_from_the_end_of_the_last_user(monkeypatch):
    monkeypatch.setattr(idle, "_LEAST_SECONDS", 0.0)
    left = asyncio.Event()
    timer = IdleTimer(lambda: 0.0, left.set)
    with timer.used(), timer.used():
        timer.restart()
        assert timer._handle is None
        with timer.used():
            pass
        assert timer._handle is None
    await asyncio.wait_for(left.wait(), 60)


async def test_the_setting_is_at_least_the_time_between_two_pieces():
    timer = IdleTimer(lambda: 0.0, lambda: None)
    timer.restart()
    assert timer._handle.when() - asyncio.get_running_loop().time() > 0.5
    timer.stop()

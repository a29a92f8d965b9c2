"""Many runs in one real worker: they share it fairly, and end together only when it is killed."""

import asyncio
import itertools
import os
import signal
import sys
from contextlib import aclosing

import pytest
import pytest_asyncio

pytest.importorskip("torch", reason="the worker's packages are not installed")
psutil = pytest.importorskip("psutil")

from tests.worker.test_local_engine import collect, exhaust, generation, render, until  # noqa: E402
from transformers_ls.engines.local import LocalEngine  # noqa: E402
from transformers_ls.engines.worker_process import WorkerProcess  # noqa: E402
from transformers_ls.errors import (  # noqa: E402
    EngineDiedError,
    EngineUnavailableError,
    ModelBrokenError,
    RunCancelledError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPTS = ["The quick", "Brown", "A fox jumped over", "x", "def main() -> None:"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    made = LocalEngine(render_chat=render, device="cpu", dtype="float32")
    yield made
    await made.close()


async def text(engine, folder, prompt="The quick", **options):
    return (await collect(generation(engine, folder, prompt, **options)))[-1].generated_text


async def test_a_hundred_runs_at_once(engine, llama, monkeypatch):
    expected = [await text(engine, llama, prompt) for prompt in PROMPTS]
    begun, ended = [], []
    begin = WorkerProcess.begin

    def watched(worker, request):
        # Each run looks its model up in a thread, so they reach the worker in any order.
        begun.append(asyncio.current_task())
        return begin(worker, request)

    async def one(number):
        found = await text(engine, llama, PROMPTS[number % len(PROMPTS)])
        ended.append(asyncio.current_task())
        return found

    monkeypatch.setattr(WorkerProcess, "begin", watched)
    texts = await asyncio.gather(*map(one, range(100)))
    assert texts == [expected[number % len(PROMPTS)] for number in range(100)]
    # Nobody was passed by more than those that take turns with it, and a few that were quicker.
    assert max(place - begun.index(run) for place, run in enumerate(ended)) <= 16
    assert engine.status().state == "idle"


async def test_a_short_run_ends_while_a_long_one_goes_on(engine, llama):
    long = generation(engine, llama, max_new_tokens=90_000)
    async with asyncio.timeout(120), aclosing(long):
        await anext(long)
        for _ in range(3):
            assert len(await text(engine, llama)) > 1
        assert engine.status().state == "busy"
        await anext(long)
    await until(engine, "idle")


async def test_company_does_not_change_what_a_seed_gives(engine, llama, gpt2):
    """Long enough that each one has several turns."""
    asked = [
        {"folder": llama, "max_new_tokens": 800, "temperature": 1.3, "seed": 5},
        {"folder": llama, "max_new_tokens": 800, "temperature": 1.3, "seed": 6},
        {"folder": gpt2, "max_new_tokens": 200, "temperature": 1.3, "seed": 5},
    ]
    alone = [await text(engine, **options) for options in asked]
    arrivals = []

    async def one(number):
        found = ""
        async for item in generation(engine, **asked[number]):
            found += item.token.text
            arrivals.append(number)
        return found

    assert await asyncio.gather(*map(one, range(3))) == alone
    turns = sum(before != after for before, after in itertools.pairwise(arrivals))
    assert turns > 3


async def test_an_abort_is_confirmed_in_each_state(engine, llama):
    """Six runs: four have begun and take turns, two wait for one of them to end."""
    streams = [generation(engine, llama, max_new_tokens=90_000) for _ in range(6)]
    async with asyncio.timeout(120), aclosing(streams[0]):
        # Runs reach the worker in any order, so the one that is read here must have begun before
        # the others are asked for: it could be one of the two that wait.
        await anext(streams[0])
        tasks = [asyncio.create_task(exhaust(stream)) for stream in streams[1:]]
        await until(engine, "busy", runs=6)
        for left, task in zip(range(5, 0, -1), reversed(tasks), strict=True):
            task.cancel()
            await until(engine, "busy", runs=left)
            await anext(streams[0])
    await until(engine, "idle")
    assert len(await text(engine, llama)) > 1


async def test_a_run_that_fails_ends_no_other(engine, llama, pickled):
    pid = engine.status().pid
    runs = [text(engine, folder) for folder in (llama, pickled, llama, pickled)]
    found = await asyncio.gather(*runs, return_exceptions=True)
    assert found[0] == found[2] == await text(engine, llama)
    assert all(isinstance(found[number], ModelBrokenError) for number in (1, 3))
    assert engine.status().pid == pid


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is what it is about")
@pytest.mark.parametrize(
    "moment", ["starting", "loading", "running", "decoding", "inferring", "idle"]
)
async def test_kill_at_each_stage(engine, llama, gpt2, moment):
    """All runs that had begun end with a clear message, and the next one works."""
    reached = asyncio.Event()
    await engine.close()
    if moment == "idle":
        await text(engine, llama)

    def note(stage):
        if stage.name == {"inferring": "running"}.get(moment, moment):
            reached.set()

    async def run(folder):
        tokens = 0
        async for _ in generation(engine, folder, max_new_tokens=240, on_stage=note):
            tokens += 1
            if moment == "decoding" and tokens == 5:
                reached.set()

    async def say():
        text = "The quick brown fox. " * 3000
        await engine.zero_shot_classification(text, ["a", "b"], model=str(llama), on_stage=note)

    works = {"idle": [], "inferring": [say, say]}.get(
        moment, [lambda: run(llama), lambda: run(gpt2)]
    )
    tasks = [asyncio.create_task(work()) for work in works]
    async with asyncio.timeout(120):
        if tasks:
            await reached.wait()
        while engine.status().pid is None:  # noqa: ASYNC110 - nobody is told of it.
            await asyncio.sleep(0)
        os.kill(engine.status().pid, signal.SIGKILL)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(e, EngineDiedError | EngineUnavailableError | None) for e in ends)
        assert moment == "idle" or any("SIGKILL" in str(end) for end in ends)
        assert len(await text(engine, llama)) > 1
    assert engine.status().state == "idle"


async def test_a_worker_that_nobody_uses_is_gone(llama):
    """As a process, so that no library can keep what the models took."""
    engine = LocalEngine(render_chat=render, device="cpu", dtype="float32", keep_alive=lambda: 0.0)
    try:
        assert len(await text(engine, llama)) > 1
        worker = psutil.Process(engine.status().pid)
        await until(engine, "stopped")
        await asyncio.to_thread(psutil.wait_procs, [worker], timeout=60)
        assert not worker.is_running()
    finally:
        await engine.close()


async def test_closing_ends_all_runs(engine, llama):
    tasks = [
        asyncio.create_task(exhaust(generation(engine, llama, max_new_tokens=90_000)))
        for _ in range(6)
    ]
    await until(engine, "busy", runs=6)
    worker = psutil.Process(engine.status().pid)
    await engine.close()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, RunCancelledError) for end in ends)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

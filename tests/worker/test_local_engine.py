"""The local engine with the real worker and tiny models."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

pytest.importorskip("torch", reason="the worker's packages are not installed")
psutil = pytest.importorskip("psutil")

from tests.support.tiny_models import script_tail  # noqa: E402
from tests.worker.conftest import SCRIPT  # noqa: E402
from transformers_ls.engines.base import EngineFacts, Stage  # noqa: E402
from transformers_ls.engines.local import LocalEngine  # noqa: E402
from transformers_ls.errors import (  # noqa: E402
    EngineDiedError,
    EngineUnavailableError,
    ModelBrokenError,
    ModelNotFoundError,
    UsageError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def render(_folder: Path, messages) -> str:
    return "".join(f"<|start|>{m['role']}: {m['content']}<|end|>" for m in messages)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    """One engine for most tests, so that the worker's imports are paid once."""
    made = LocalEngine(render_chat=render, device="cpu", dtype="float32")
    yield made
    await made.close()


def generation(engine, folder, prompt="The quick", max_new_tokens=20, **options):
    return engine.text_generation(
        prompt, model=str(folder), max_new_tokens=max_new_tokens, **options
    )


async def collect(stream):
    async with asyncio.timeout(120):
        return [item async for item in stream]


async def until(engine, state, runs=None):
    async with asyncio.timeout(120):
        changed = asyncio.Event()
        engine.on_change = changed.set
        while engine.status().state != state or (
            runs is not None and runs != len(engine._worker.runs)
        ):
            await changed.wait()
            changed.clear()


async def exhaust(stream):
    async for _ in stream:
        pass


async def test_text_generation(engine, llama):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    stages: list[Stage] = []
    measured: list[EngineFacts] = []
    items = await collect(
        generation(engine, llama, on_stage=stages.append, on_facts=measured.append)
    )
    tokenizer = AutoTokenizer.from_pretrained(llama)
    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    inputs = tokenizer("The quick", return_tensors="pt", return_token_type_ids=False)
    whole = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0]
    expected = tokenizer.decode(whole, skip_special_tokens=True)[len("The quick") :]

    assert "".join(item.token.text for item in items) == expected == items[-1].generated_text
    assert all(item.details is None for item in items[:-1])
    details = items[-1].details
    assert (details.finish_reason, details.generated_tokens) == ("length", 20)
    assert details.input_length == inputs.input_ids.shape[1]
    (facts,) = measured
    assert (facts.device, facts.dtype, facts.seed) == ("cpu", "float32", None)
    assert 0 < facts.time_to_first_token <= facts.seconds
    assert {"loading", "running"} <= {stage.name for stage in stages}
    assert engine.status().state == "idle"
    assert engine.status().model == str(llama)


async def test_chat_completion(engine, reciter):
    messages = [{"role": "user", "content": "Hi"}]
    stream = engine.chat_completion(
        messages, model=str(reciter), max_tokens=90, stop=["日本"], temperature=0
    )
    items = await collect(stream)
    text = "".join(item.choices[0].delta.content for item in items)
    whole = script_tail(reciter, SCRIPT, await render(reciter, messages))
    assert text == whole[: whole.index("日本")]
    assert [item.choices[0].finish_reason for item in items[-2:]] == [None, "stop"]
    usage = items[-1].usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert {item.id for item in items} == {items[0].id}


async def test_an_abort_in_a_run(engine, llama):
    stream = generation(engine, llama, max_new_tokens=90_000)
    async with asyncio.timeout(120), aclosing(stream):
        await anext(stream)
        assert engine.status().state == "busy"
    pid = engine.status().pid
    await until(engine, "idle")
    assert len(await collect(generation(engine, llama))) > 1
    assert engine.status().pid == pid


async def test_cancelling_the_task_stops_the_compute(engine, llama):
    began = asyncio.Event()

    async def consume():
        async for _ in generation(engine, llama, max_new_tokens=90_000):
            began.set()

    task = asyncio.create_task(consume())
    async with asyncio.timeout(120):
        await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(engine, "idle")


async def test_an_abort_of_a_run_that_waits(engine, llama):
    """It is confirmed while the first run goes on, and the third one has its turns."""
    first = generation(engine, llama, max_new_tokens=90_000)
    async with asyncio.timeout(120), aclosing(first):
        await anext(first)
        second = asyncio.create_task(exhaust(generation(engine, llama, max_new_tokens=90_000)))
        third = asyncio.create_task(collect(generation(engine, llama)))
        await until(engine, "busy", runs=3)
        second.cancel()
        assert (await third)[-1].details.generated_tokens == 20
        await until(engine, "busy", runs=1)
        await anext(first)
    assert second.cancelled()


async def test_failures_leave_the_worker_alive(engine, llama, gpt2, pickled, tmp_path):
    pid = engine.status().pid
    with pytest.raises(ModelBrokenError, match="pickled"):
        await collect(generation(engine, pickled))
    with pytest.raises(UsageError, match="256"):
        await collect(generation(engine, gpt2, "word " * 500))
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelNotFoundError, match="no weights"):
        await collect(generation(engine, tmp_path))
    assert len(await collect(generation(engine, llama))) > 1
    assert engine.status().pid == pid


async def test_seeds(engine, llama):
    async def text(seed):
        items = await collect(generation(engine, llama, temperature=1.2, seed=seed))
        return items[-1].generated_text, items[-1].details.seed

    first, again, other = await text(5), await text(5), await text(6)
    assert first == again
    assert first[0] != other[0]
    assert first[1] == 5


async def test_killed_in_the_middle_of_a_run(engine, llama):
    stream = generation(engine, llama, max_new_tokens=90_000)
    beside = generation(engine, llama, max_new_tokens=90_000)
    async with asyncio.timeout(120):
        await asyncio.gather(anext(stream), anext(beside))
        os.kill(engine.status().pid, signal.SIGKILL)
        for run in (stream, beside):
            with pytest.raises(EngineDiedError, match="SIGKILL"):
                await exhaust(run)
    assert len(await collect(generation(engine, llama))) > 1
    assert engine.status().state == "idle"


async def test_sigint_is_ignored_and_prints_do_no_harm(engine, llama):
    await collect(generation(engine, llama))
    pid = engine.status().pid
    os.kill(pid, signal.SIGINT)
    assert len(await collect(generation(engine, llama))) > 1
    assert engine.status().pid == pid


PARENT = """
import asyncio, os, sys
from pathlib import Path
from transformers_ls.engines.local import LocalEngine

async def main():
    engine = LocalEngine(render_chat=None, device="cpu", dtype="float32")
    stream = engine.text_generation("The", model=sys.argv[1], max_new_tokens=90_000)
    await anext(stream)
    print(engine.status().pid, flush=True)
    async for _ in stream:
        pass

asyncio.run(main())
"""


async def test_the_worker_dies_with_its_parent(llama):
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(llama), stdout=subprocess.PIPE
    )
    async with asyncio.timeout(120):
        worker = psutil.Process(int(await parent.stdout.readline()))
        parent.kill()
        await parent.wait()
        await asyncio.to_thread(psutil.wait_procs, [worker], timeout=60)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


async def test_an_interpreter_without_torch(llama, tmp_path):
    """-S hides site-packages: the worker is found (it is in the path), torch is not."""
    import transformers_ls_worker

    server = Path(transformers_ls_worker.__file__).parents[1]
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{server}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    engine = LocalEngine(render_chat=render, python=str(python))
    try:
        with pytest.raises(EngineUnavailableError, match=r"torch.*transformers-ls\[worker\]"):
            await collect(generation(engine, llama))
    finally:
        await engine.close()


async def test_a_batch_answers_each_prompt(engine, llama):
    prompts = ["The quick", "Brown", "A fox jumped over"]
    alone = [(await collect(generation(engine, llama, p)))[-1].generated_text for p in prompts]
    texts, ends = ["", "", ""], {}
    for item in await collect(engine.generate_batch(prompts, model=str(llama), max_new_tokens=20)):
        if item.finish_reason:
            ends[item.row] = item
        else:
            texts[item.row] += item.text
    assert texts == alone
    assert sorted(ends) == [0, 1, 2]
    assert {end.finish_reason for end in ends.values()} == {"length"}
    assert all(end.completion_tokens == 20 and end.prompt_tokens > 0 for end in ends.values())


async def test_a_batch_of_one_chat(engine, llama):
    message = {"role": "user", "content": "Hello"}
    items = await collect(engine.generate_batch([[message]], model=str(llama), max_new_tokens=4))
    chat = engine.chat_completion([message], model=str(llama), max_tokens=4)
    expected = "".join(item.choices[0].delta.content for item in await collect(chat))
    assert "".join(item.text for item in items) == expected
    assert items[-1].finish_reason == "length"
    assert items[-1].completion_tokens == 4


async def test_closing_a_batch_stops_the_compute(engine, llama):
    batch = engine.generate_batch(["a", "b"], model=str(llama), max_new_tokens=50_000)
    async with aclosing(batch):
        await anext(batch)
    await until(engine, "idle")

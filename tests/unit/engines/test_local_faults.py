"""The local engine against workers that lie, hang, die or were never installed."""

import asyncio
import sys
from contextlib import aclosing

import pytest

from tests.support.fake_worker import fake_python
from transformers_ls.engines.local import LocalEngine
from transformers_ls.errors import (
    EngineDiedError,
    EngineError,
    EngineUnavailableError,
    ModelBrokenError,
    RunCancelledError,
    UsageError,
)
from transformers_ls.hub.resolve import ResolvedModel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")

ANSWER = """
ready()
while True:
    message = receive()
    if isinstance(message, wire.Generate):
        send(wire.Delta(message.run_id, "hi", 1))
        done(message.run_id)
    elif isinstance(message, wire.Shutdown):
        break
"""


@pytest.fixture
async def make(tmp_path):
    made = []

    def build(body, **options):
        python = fake_python(tmp_path, body) if body is not None else "/no/such/python"
        engine = LocalEngine(
            render_chat=None,
            resolve=lambda name: ResolvedModel(name, tmp_path, "folder"),
            python=python,
            **{"end_seconds": 0.2} | options,
        )
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.close()


async def text_of(engine, **options):
    async with asyncio.timeout(60):
        stream = engine.text_generation("p", model="m", max_new_tokens=5, **options)
        return "".join([item.token.text async for item in stream])


async def state(engine, wanted):
    async with asyncio.timeout(60):
        changed = asyncio.Event()
        engine.on_change = changed.set
        while engine.status().state != wanted:
            await changed.wait()
            changed.clear()


async def test_an_answer(make):
    engine = make(ANSWER)
    assert engine.status().state == "stopped"
    assert await text_of(engine) == "hi"
    status = engine.status()
    assert (status.state, status.destination) == ("idle", "this machine (cpu, float32)")
    assert status.pid
    await engine.close()
    await engine.close()
    assert engine.status().state == "stopped"
    assert await text_of(engine) == "hi"


async def test_garbage_on_the_pipe_is_stepped_over(make):
    body = """
os.write(1, b"Loading...\\n\\xff\\xfe\\n{\\"kind\\": \\"delta\\"}\\n[1, 2]\\n")
os.write(1, b"x" * 3_000_000 + b"\\n")
"""
    assert await text_of(make(body + ANSWER)) == "hi"


async def test_frames_of_unknown_runs_are_ignored(make):
    body = """
ready()
message = receive(); message = receive()
send(wire.Delta("other", "no", 1)); done("other"); ready(); send(wire.Failed("other", "internal", ""))
send(wire.Failed("", "protocol", "odd"))
send(wire.Delta(message.run_id, "hi", 1)); done(message.run_id)
receive()
"""
    assert await text_of(make(body)) == "hi"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, ["/no/such/python", "No such file", "interpreter"]),
        ("ready(999); receive(); receive()", ["999", "same version"]),
        (
            "send(wire.Failed('', 'packages-missing', 'P has no torch.')); sys.exit(3)",
            ["no torch", 'pip install "transformers-ls[worker]"'],
        ),
        (
            "raise ModuleNotFoundError(\"No module named 'transformers_ls_worker'\")",
            ["No module named", 'pip install "transformers-ls[worker]"'],
        ),
        ("sys.exit('bad libc')", ["while it started", "exit code 1", "bad libc"]),
        ("os.abort()", ["killed by SIGABRT"]),
        ("os.close(1); receive(); receive()", ["while it started"]),
    ],
    ids=["no-python", "version", "packages", "not-installed", "exit", "abort", "closed-pipe"],
)
async def test_a_start_that_fails(make, body, words):
    engine = make(body)
    for _ in range(2):  # It is tried again each time.
        with pytest.raises(EngineUnavailableError) as raised:
            await text_of(engine)
        for word in words:
            assert word in str(raised.value)
        status = engine.status()
        assert status.state == "failed"
        assert status.message == str(raised.value)
        assert status.pid is None


async def test_a_worker_that_never_gets_ready_is_ended(make):
    engine = make("time.sleep(600)", start_seconds=0.2)
    with pytest.raises(EngineUnavailableError, match=r"not ready within 0\.2 seconds.*Try again"):
        await text_of(engine)


async def test_death_in_a_run(make):
    body = """
ready()
message = receive(); message = receive()
send(wire.Delta(message.run_id, "half", 1))
os.kill(os.getpid(), 9)
"""
    engine = make(body)
    for _ in range(2):
        stream = engine.text_generation("p", model="m", max_new_tokens=5)
        assert (await anext(stream)).token.text == "half"
        with pytest.raises(EngineDiedError, match=r"SIGKILL.*Run it again") as raised:
            await anext(stream)
        assert engine.status().state == "failed"
        assert engine.status().message == str(raised.value)


async def test_a_worker_that_died_unnoticed_is_replaced(make, tmp_path):
    """It never had the run, so the run is simply given to the next one."""
    body = f"""
path = {str(tmp_path / "second")!r}
if not os.path.exists(path):
    open(path, "w").close()
    ready()
    receive()
    message = receive()
    send(wire.Delta(message.run_id, "hi", 1)); done(message.run_id)
    receive()
    sys.exit(7)
"""
    engine = make(body + ANSWER)
    assert await text_of(engine) == "hi"
    assert await text_of(engine) == "hi"


async def test_the_status_tells_what_the_last_weights_were(make):
    body = """
ready()
while True:
    message = receive()
    if isinstance(message, wire.Generate):
        send(wire.Done(message.run_id, "eos", 1, 1, 0.1, 0.2, "cpu", "u4"))
"""
    engine = make(body)
    await engine.start()
    assert engine.status().destination == "this machine (cpu, float32)"
    await text_of(engine)
    assert engine.status().destination == "this machine (cpu, u4)"


async def test_each_worker_starts_as_the_settings_are_then(make, tmp_path):
    body = """
ready()
message = receive()
message = receive()
send(wire.Delta(message.run_id, " ".join(sys.argv[4:]), 1))
done(message.run_id)
os._exit(0)
"""
    prepared = [tmp_path, None]
    engine = make(body, prepared=lambda: prepared.pop(0))
    assert await text_of(engine) == f"--prepared {tmp_path}"
    await state(engine, "failed")
    assert await text_of(engine) == ""


async def test_failures_have_their_own_errors(make):
    body = """
ready()
receive()
for code in ("weights-refused", "prompt-too-long", "internal", "out-of-memory"):
    send(wire.Failed(receive().run_id, code, "What happened.", "What to do."))
receive()
"""
    engine = make(body)
    for expected in (ModelBrokenError, UsageError, EngineError, EngineError):
        with pytest.raises(expected, match=r"What happened\. What to do\."):
            await text_of(engine)
        assert engine.status().state == "idle"


HOLD = """
ready()
while True:
    message = receive()
    if isinstance(message, wire.Generate):
        send(wire.Delta(message.run_id, "half", 1))
    elif isinstance(message, wire.Abort):
        {on_abort}
    elif isinstance(message, wire.Shutdown):
        {on_shutdown}
"""


async def test_busy_until_the_worker_confirms(make):
    engine = make(HOLD.format(on_abort="done(message.run_id, 'abort')", on_shutdown="break"))
    stream = engine.text_generation("p", model="m", max_new_tokens=5)
    async with asyncio.timeout(60), aclosing(stream):
        await anext(stream)
    assert engine.status().state == "busy"
    await state(engine, "idle")
    assert engine.status().pid


async def test_a_wedged_worker_is_killed(make):
    engine = make(HOLD.format(on_abort="time.sleep(600)", on_shutdown="pass"), abort_seconds=0.1)
    stream = engine.text_generation("p", model="m", max_new_tokens=5)
    async with asyncio.timeout(60), aclosing(stream):
        await anext(stream)
    await state(engine, "failed")
    assert "SIGKILL" in engine.status().message


async def test_closing_ends_a_worker_that_does_not_listen(make):
    body = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    engine = make(body + HOLD.format(on_abort="pass", on_shutdown="pass"))
    stream = engine.text_generation("p", model="m", max_new_tokens=5)
    async with asyncio.timeout(60):
        await anext(stream)
        waiting = asyncio.create_task(anext(stream))
        await engine.close()
        with pytest.raises(RunCancelledError):
            await waiting
    assert engine.status().state == "stopped"


async def test_closing_while_it_starts(make):
    engine = make("time.sleep(600)")
    run = asyncio.create_task(text_of(engine))
    await state(engine, "starting")
    await engine.close()
    with pytest.raises(RunCancelledError):
        await run
    assert engine.status().state == "stopped"


async def test_a_run_cancelled_while_the_engine_starts(make, tmp_path):
    go = tmp_path / "go"
    engine = make(f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n" + ANSWER)
    first = asyncio.create_task(text_of(engine))
    second = asyncio.create_task(text_of(engine))
    await state(engine, "starting")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.touch()
    assert await second == "hi"


@pytest.mark.parametrize("options", [{"max_new_tokens": 0}, {"temperature": -1.0}])
async def test_senseless_options(make, options):
    engine = make(None)
    with pytest.raises(UsageError):
        await anext(engine.text_generation("p", **{"model": "m", "max_new_tokens": 5} | options))
    assert engine.status().state == "stopped"

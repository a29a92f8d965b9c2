"""Counting in a process of its own: the same counts, and an answer whatever happens to it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.processes import gone
from tests.support.texts import NASTY, generated
from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.errors import ModelBrokenError
from transformers_ls.tokens import counting_process, short_answers, tokenizers
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.frames import Kind
from transformers_ls.tokens.pieces import unpack_pieces
from transformers_ls.tokens.remote import (
    RemoteCounter,
    count_request,
    counts_of,
    load_remote_counter,
    pieces_request,
)
from transformers_ls.tokens.special import SpecialTokens
from transformers_ls.tokens.store import TokenizerStore
from transformers_ls.tokens.tokenizers import load_counter, prepare


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def far(tiny: Path) -> Iterator[RemoteCounter]:
    counter = load_remote_counter(tiny)
    yield counter
    counter.close()


@pytest.fixture
def slow(tiny: Path) -> Iterator[RemoteCounter]:
    """One that asks the reference where tokens stand, at 1 MB a second."""
    counter = RemoteCounter(replace(prepare(tiny), spells_bytes=False), "slow")
    counter.encode("load the reference")
    yield counter
    counter.close()


def test_all_answers_are_those_of_a_counter_in_this_process(folder: Path, counter: Counter) -> None:
    far = load_remote_counter(folder)
    try:
        facts = ("name", "exact", "reason", "added_tokens", "special_tokens", "cuts")
        assert [getattr(far, name) for name in facts] == [getattr(counter, name) for name in facts]
        texts = [*generated(3_000, seed=23), *NASTY, "a\ud800b", ""]
        assert far.count_many(texts) == counter.count_many(texts)
        for text in ("", *NASTY, "\n".join(texts[:500])):
            assert far.encode(text) == counter.encode(text)
            assert far.special_spans(text) == counter.special_spans(text)
        assert far.count_many([]) == []
        for text in NASTY:
            assert far.pieces(text) == counter.pieces(text)
            assert far.pieces(text, 1, 3, 2) == counter.pieces(text, 1, 3, 2)
    finally:
        far.close()


def test_a_long_text_crosses_the_pipe_whole(far: RemoteCounter, tiny: Path) -> None:
    text = "é🙂 word\n" * 150_000 + "\ud800"
    near = load_counter(tiny)
    assert far.count(text) == near.count(text)
    assert far.encode(text[-5_000:]) == near.encode(text[-5_000:])


def test_killed_at_any_moment_it_answers_all_the_same(far: RemoteCounter, tiny: Path) -> None:
    """The process is killed again and again while three threads count."""
    near = load_counter(tiny)
    texts = ["short", "The quick brown fox.\n" * 20_000, *generated(50, seed=1)]
    expected = near.count_many(texts)
    results: list[Any] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            try:
                results.append(far.count_many(texts) == expected)
            except ModelBrokenError as error:
                results.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for round_ in range(5):
        while (pid := far.pid) is None:
            time.sleep(0.01)
        time.sleep(0.03 * round_)
        # It may be gone already, and the counter not know yet.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert gone(pid)
    before = len(results)
    while len(results) < before + 6:
        time.sleep(0.01)
    done.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    # One retry each: only who met two kills in a row has an error, and it says what happened.
    assert {result for result in results if result is not True} <= {
        result for result in results if "ended while it worked" in str(result)
    }
    assert far.count_many(texts) == expected


posix = pytest.mark.skipif(os.name == "nt", reason="on Windows nothing is begun")


@posix
async def test_what_is_begun_never_waits(far: RemoteCounter, tiny: Path) -> None:
    """A process that is stopped reads nothing: the pipe fills, and still nobody is held up."""
    near = load_counter(tiny)
    texts = [*generated(300, seed=3)]
    expected = near.count_many(texts)
    assert far.pid is not None
    os.kill(far.pid, signal.SIGSTOP)
    answers = [far.begin(count_request(texts)) for _ in range(200)]
    begun = [answer for one in answers for answer in one]
    # The last one to begin found no room for all of it; those after it would have had to wait.
    assert 1 < len(begun) < len(answers)
    waiting = [asyncio.create_task(answer.body()) for answer in begun]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    os.kill(far.pid, signal.SIGCONT)
    bodies = await asyncio.gather(*waiting)
    assert [counts_of(body) for body in bodies if body is not None] == [expected] * len(begun)
    assert far.count_many(texts) == expected
    text = "The quick brown fox."
    _, later = far.begin(count_request([text]), pieces_request(text, 4, 9))
    body = await later.body()
    assert body is not None
    assert unpack_pieces(body, far.special_tokens) == near.pieces(text, 4, 9)


@posix
async def test_what_is_begun_fails_when_the_process_ends(far: RemoteCounter) -> None:
    assert far.pid is not None
    os.kill(far.pid, signal.SIGSTOP)
    answers = [*far.begin(count_request(["some words"])), *far.begin(count_request(["more"]))]
    os.kill(far.pid, signal.SIGKILL)
    assert [await answer.body() for answer in answers] == [None, None]
    assert not far.begin(count_request(["some words"]))
    assert await asyncio.to_thread(far.count, "some words") > 0
    (answer,) = far.begin(count_request(["some words"]))
    assert await answer.body() is not None


@posix
async def test_what_is_begun_is_given_up_when_it_takes_too_long(
    far: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_answers, "_SECONDS", 0.05)
    assert far.pid is not None
    os.kill(far.pid, signal.SIGSTOP)
    (answer,) = far.begin(count_request(["some words"]))
    assert await answer.body() is None
    os.kill(far.pid, signal.SIGCONT)
    # The answer that comes late is nobody else's.
    (answer,) = far.begin(count_request(["a", "b", "c"]))
    monkeypatch.undo()
    body = await answer.body()
    assert body is not None
    assert len(counts_of(body)) == 3


@posix
async def test_short_and_long_answers_do_not_get_in_each_others_way(
    far: RemoteCounter, tiny: Path
) -> None:
    near = load_counter(tiny)
    texts = [*generated(200, seed=4)]
    expected = near.count_many(texts)

    def ask() -> list[list[int]]:
        return [far.count_many(texts[n:]) for n in range(40)]

    asked = asyncio.get_running_loop().run_in_executor(None, ask)
    begun = 0
    while not asked.done():
        for answer in far.begin(count_request(texts[begun % 190 :])):
            body = await answer.body()
            assert body is not None
            assert counts_of(body) == expected[begun % 190 :]
            begun += 1
        # While a thread sends, nothing is begun.
        await asyncio.sleep(0)
    assert await asked == [expected[n:] for n in range(40)]
    assert begun


@posix
def test_a_process_that_ended_leaves_no_pipe_open(tiny: Path) -> None:
    async def count_and_close() -> None:
        counter = load_remote_counter(tiny)
        (answer,) = counter.begin(count_request(["some words"]))
        assert await answer.body() is not None
        pid = counter.pid
        counter.close()
        assert await asyncio.to_thread(gone, pid)
        # The loop reads the end; a second counter is never asked on a loop.
        await asyncio.sleep(0)
        assert not counter.begin(count_request(["some words"]))
        load_remote_counter(tiny).close()

    asyncio.run(count_and_close())  # Imports, and what a first loop opens.
    before = psutil.Process().num_fds()
    for _ in range(3):
        asyncio.run(count_and_close())
    gc.collect()
    deadline = time.monotonic() + 20
    while psutil.Process().num_fds() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert psutil.Process().num_fds() <= before


@posix
def test_a_machine_without_free_descriptors_is_told_of(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(counting_process.os, "pipe", full)
    with pytest.raises(ModelBrokenError, match="Too many open files"):
        load_remote_counter(tiny)


def test_a_text_that_ends_the_process_twice_is_an_error(
    far: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = counting_process.CountingProcess.ask

    def die(process: Any, kind: Kind, body: Any) -> bytes:
        os.kill(process.pid, signal.SIGKILL)
        return ask(process, kind, body)

    with monkeypatch.context() as patch:
        patch.setattr(counting_process.CountingProcess, "ask", die)
        with pytest.raises(ModelBrokenError, match="ended while it worked") as raised:
            far.count("x")
        assert raised.value.hint
    assert far.count("Hi") > 0


def test_a_failure_says_what_but_not_on_which_text(far: RemoteCounter) -> None:
    with pytest.raises(ModelBrokenError, match="failed on this text") as raised:
        far._ask(Kind.PIECES, [b"secret!"])
    assert "secret" not in str(raised.value)
    assert far.count("Hi") > 0


def test_a_text_that_takes_too_long_is_an_error(
    slow: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = slow.pid
    with monkeypatch.context() as patch:
        patch.setattr(counting_process, "_SECONDS", 0.05)
        patch.setattr(counting_process, "_SECONDS_A_MEGABYTE", 0.0)
        with pytest.raises(ModelBrokenError, match="no answer within 0 seconds"):
            slow.encode("The quick brown fox.\n" * 100_000)
    assert gone(pid)
    assert slow.count("Hi") > 0


def test_a_short_text_does_not_wait_for_a_long_one(slow: RemoteCounter) -> None:
    order: list[str] = []
    started = threading.Event()

    def long() -> None:
        started.set()
        slow.encode("The quick brown fox jumps.\n" * 60_000)
        order.append("long")

    thread = threading.Thread(target=long)
    thread.start()
    started.wait()
    slow.count("short")
    order.append("short")
    thread.join()
    assert order == ["short", "long"]


def test_what_cannot_be_loaded_is_an_error(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = tokenizers.prepare(tiny)
    broken = tiny.parent / "gone.json"
    monkeypatch.setattr(tokenizers, "prepare", lambda _: type(pipeline)(
        broken, True, "", 0, frozenset(), "", pipeline.cuts
    ))  # fmt: skip
    with pytest.raises(ModelBrokenError, match="cannot be loaded"):
        load_remote_counter(tiny)


def test_it_ends_with_its_counter_and_its_store(tiny: Path) -> None:
    counter = load_remote_counter(tiny)
    pid = counter.pid
    del counter
    assert gone(pid)
    store = TokenizerStore(lambda _: tiny)
    entry = store.wait("tiny")
    assert isinstance(entry.counter, RemoteCounter)
    pid = entry.counter.pid
    store.close()
    assert gone(pid)
    with pytest.raises(ModelBrokenError, match="closed"):
        entry.counter.count("x")


def test_it_does_not_outlive_its_parent(tiny: Path) -> None:
    code = (
        "import os, pathlib, sys, signal\n"
        "from transformers_ls.tokens.remote import load_remote_counter\n"
        "counter = load_remote_counter(pathlib.Path(sys.argv[1]))\n"
        "print(counter.pid, flush=True)\n"
        "counter.count('x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_the_front_does_not_load_the_libraries(tiny: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from transformers_ls.tokens.remote import load_remote_counter\n"
        "counter = load_remote_counter(pathlib.Path(sys.argv[1]))\n"
        "counter.encode('some text'); counter.count('some text'); counter.pieces('text')\n"
        "print(*{'tokenizers', 'fastokens', 'gigatoken', 'numpy'} & {*sys.modules})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_special_tokens_in_long_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["<|a|>", "<|a|>b", "x"]
    text = "yy<|a|>b <|a|>xx" * 50
    expected = SpecialTokens(names).spans(text)
    assert [text[start:end] for start, end in expected[:4]] == ["<|a|>b", "<|a|>", "x", "x"]
    for step in range(1, 12):
        monkeypatch.setattr("transformers_ls.tokens.special._STEP", step)
        assert SpecialTokens(names).spans(text) == expected
    assert SpecialTokens([""]).spans(text) == []

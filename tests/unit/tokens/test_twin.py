"""Counting in two processes: the same counts in the same order, whatever becomes of the second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.processes import gone
from tests.support.texts import NASTY, generated
from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.tokens import twin, twin_process
from transformers_ls.tokens.engines import ReferenceCounter
from transformers_ls.tokens.fast import Gigatoken
from transformers_ls.tokens.tokenizers import prepare
from transformers_ls.tokens.twin import Twin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="It forks on Linux only.")

TEXTS = [f"{number} é 文\n" * (number % 7) for number in range(60_000)]
HERE = os.getpid()


def sizes(texts: Sequence[str | bytes]) -> list[int]:
    return [len(text if isinstance(text, bytes) else text.encode()) for text in texts]


def slowly(texts: Sequence[str | bytes]) -> list[int]:
    """Leave the other process time to take its share."""
    time.sleep(0.005)
    return sizes(texts)


def where(texts: Sequence[str | bytes]) -> list[int]:
    time.sleep(0.005)
    return [os.getpid()] * len(texts)


def elsewhere(do: Callable[[], object]) -> Callable[[Sequence[str | bytes]], list[int]]:
    """Return a count that does something in the second process first."""

    def count(texts: Sequence[str | bytes]) -> list[int]:
        if os.getpid() != HERE:
            do()
        return slowly(texts)

    return count


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})


@pytest.fixture(autouse=True)
def little_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "_MUCH", 0)


def test_both_count_and_the_order_stays() -> None:
    assert Twin(slowly).count_many(TEXTS) == sizes(TEXTS)
    mixed = Twin(where).count_many(TEXTS)
    assert len(set(mixed)) == 2
    assert os.getpid() in mixed


def test_the_second_process_stays_for_the_next_texts() -> None:
    both = Twin(where)
    assert {*both.count_many(TEXTS)} == {*both.count_many(TEXTS[::-1])}


@pytest.mark.parametrize("texts", [[], [""], ["", "x"], ["x" * 300_000], ["x"] * 300_000])
def test_few_long_and_many_short_texts(texts: list[str]) -> None:
    # Answers for 65,536 texts are eight times as long as a pipe.
    assert Twin(slowly).count_many(texts) == sizes(texts)


def test_little_is_counted_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin, "_MUCH", 140_001)
    both = Twin(where)
    assert {*both.count_many(["x" * 70_000] * 2)} == {HERE}
    assert len({*both.count_many(["x" * 70_000] * 9)}) == 2


def test_one_load_is_counted_here() -> None:
    before = children()
    both = Twin(where)
    assert both.count_many(["x" * 300_000]) == [os.getpid()]
    assert children() == before


@pytest.mark.parametrize(
    "do",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(0),
        lambda: 1 / 0,
        lambda: time.sleep(60),
    ],
    ids=["killed", "ended", "failed", "hung"],
)
def test_what_the_second_does_not_answer_is_counted_here(
    do: Callable[[], object], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(twin_process, "_LATE_MS", 200)
    both = Twin(elsewhere(do))
    for _ in range(twin._CHANCES + 2):
        assert both.count_many(TEXTS) == sizes(TEXTS)
    # One that fails again and again is not forked for ever.
    assert len(caplog.records) == twin._CHANCES


def test_no_room_for_another_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    caplog.set_level("INFO")
    both = Twin(sizes)
    open_before = psutil.Process().num_fds()
    assert both.count_many(TEXTS) == sizes(TEXTS) == both.count_many(TEXTS)
    assert psutil.Process().num_fds() == open_before
    assert len(caplog.records) == 1


def test_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    assert {*Twin(where).count_many(TEXTS)} == {os.getpid()}


def test_an_error_is_told_and_the_next_count_is_right() -> None:
    broken = [True]

    def count(texts: Sequence[str | bytes]) -> list[int]:
        if broken[0] and os.getpid() == HERE:
            raise ValueError("a text")
        return slowly(texts)

    both = Twin(count)
    before = children()
    with pytest.raises(ValueError, match="a text"):
        both.count_many(TEXTS)
    assert children() == before
    broken[0] = False
    assert both.count_many(TEXTS) == sizes(TEXTS)


def test_lone_surrogates_are_an_error() -> None:
    both = Twin(slowly)
    with pytest.raises(UnicodeEncodeError):
        both.count_many(["\ud800" * 70_000] * 3)
    assert both.count_many(TEXTS) == sizes(TEXTS)


def test_it_ends_when_nothing_comes_and_another_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(twin_process, "_IDLE_SECONDS", 4)
    both = Twin(where)
    (first,) = {*both.count_many(TEXTS)} - {HERE}
    assert gone(first)
    (second,) = {*both.count_many(TEXTS)} - {HERE}
    assert second != first
    assert not caplog.records


PROGRAM = """
import os, pathlib, sys, threading, time
from transformers_ls.tokens import twin_process
from transformers_ls.tokens.twin import Twin

# Since 3.12 Python warns of forks beside threads.
threading.Thread(target=threading.Event().wait, daemon=True).start()
here, told = os.getpid(), pathlib.Path(sys.argv[1])


def tell(texts):
    if os.getpid() != here:
        told.write_text(str(os.getpid()))
    while not (told.exists() and told.read_text()):
        time.sleep(0.01)
    return [1] * len(texts)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[bytes], int]]]:
    """Start the program above with more lines, and wait until the copy has told its id."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> tuple[subprocess.Popen[bytes], int]:
        told = tmp_path / "told"
        command = [sys.executable, "-W", "error", "-c", PROGRAM + code, str(told)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        processes.append(process)
        deadline = time.monotonic() + 20
        while not (told.exists() and (pid := told.read_text())):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process, int(pid)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


Start = Callable[[str], tuple[subprocess.Popen[bytes], int]]


def test_it_ends_with_its_parent(start: Start) -> None:
    parent, pid = start("both = Twin(tell); both.count_many(['x' * 70_000] * 50); sys.stdin.read()")
    parent.kill()
    # It would not end by itself as soon as that.
    assert gone(pid, twin_process._IDLE_SECONDS - 5)


def test_it_ends_though_it_is_busy_when_its_parent_does(start: Start) -> None:
    parent, pid = start(
        "twin_process._BUSY_SECONDS = 1\n"
        "Twin(lambda texts: tell(texts) and time.sleep(1_000)).count_many(['x' * 70_000] * 50)"
    )
    parent.kill()
    assert gone(pid)


def test_it_holds_none_of_its_parents_pipes(start: Start) -> None:
    parent, pid = start(
        "both = Twin(tell); both.count_many(['x' * 70_000] * 50)\n"
        "print('all', flush=True); os.close(1); os.close(2); sys.stdin.read()"
    )
    said: list[bytes] = []
    assert parent.stdout is not None
    reading = threading.Thread(target=lambda: said.append(parent.stdout.read()), daemon=True)
    reading.start()
    reading.join(twin_process._IDLE_SECONDS - 5)
    assert said == [b"all\n"]
    assert psutil.pid_exists(pid)


def test_several_threads_at_once() -> None:
    both = Twin(slowly)
    results: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: results.append(both.count_many(TEXTS))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [sizes(TEXTS)] * 4


def test_a_real_tokenizer_counts_as_the_reference(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = prepare(tokenizer_folder("llama-2"))
    assert pipeline.engine == "gigatoken"
    texts = [*generated(3_000, seed=77), *NASTY]
    expected = ReferenceCounter(pipeline).count_many(texts)
    engine = Gigatoken(pipeline.path)
    monkeypatch.setattr(twin, "_LOAD", 1_000)
    before = children()
    assert engine.count_many(texts) == expected
    assert children() - before

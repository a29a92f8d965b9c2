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

from tests.support.texts import NASTY, generated
from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.tokens import fast, twin, twin_process
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
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


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
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
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
    monkeypatch.setattr(twin_process, "_IDLE_SECONDS", 1)
    both = Twin(where)
    (first,) = {*both.count_many(TEXTS)} - {HERE}
    deadline = time.monotonic() + 20
    while psutil.Process(first).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (second,) = {*both.count_many(TEXTS)} - {HERE}
    assert second != first
    assert not caplog.records


def test_it_ends_with_its_parent_and_holds_none_of_its_pipes() -> None:
    code = (
        "import os; from transformers_ls.tokens.twin import Twin\n"
        "both = Twin(lambda texts: [os.getpid()] * len(texts))\n"
        "print({*both.count_many(['x' * 70_000] * 500)} - {os.getpid()}, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    # `communicate` waits until nobody has the other ends any more.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == ""
    pid = int(done.stdout.strip("{}\n"))
    deadline = time.monotonic() + 15
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
    texts = [*generated(3_000, seed=77), *(text for text in NASTY if text.isprintable())]
    expected = ReferenceCounter(pipeline).count_many(texts)
    engine = Gigatoken(pipeline.path)
    monkeypatch.setattr(fast, "MUCH", 0)
    monkeypatch.setattr(twin, "_LOAD", 1_000)
    before = children()
    assert engine.count_many(texts) == expected
    assert children() > before

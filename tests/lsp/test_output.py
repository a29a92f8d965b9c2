"""Messages go out in their order, and nobody waits until the client has read them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from transformers_ls.lsp import output
from transformers_ls.lsp.output import Output

LONG = b"x" * 1_000_000
Pipe = tuple[BinaryIO, BinaryIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb") as writer:
        yield reader, writer


@pytest.mark.parametrize("blocking", [True, False])
def test_the_order_stays(pipe: Pipe, blocking: bool) -> None:
    reader, writer = pipe
    os.set_blocking(writer.fileno(), blocking)
    messages = [b"a", LONG, b"b", b"c" * 50_000, LONG, b"d"]
    out = Output(writer)
    for message in messages:
        out.write(message)
    assert reader.read(sum(map(len, messages))) == b"".join(messages)
    out.close()
    # What is short goes out at once again.
    out.write(b"e")
    assert os.read(reader.fileno(), 10) == b"e"


@pytest.mark.parametrize("size", [100, 1_000, 5_000, 12_000, 30_000, 100_000])
@pytest.mark.parametrize("blocking", [True, False])
def test_nobody_waits_for_a_client_that_does_not_read(
    pipe: Pipe, size: int, blocking: bool
) -> None:
    reader, writer = pipe
    os.set_blocking(writer.fileno(), blocking)
    out = Output(writer)
    # More than a pipe takes.
    messages = [bytes([65 + number % 26]) * size for number in range(1 + 300_000 // size)]

    def write() -> None:
        for message in messages:
            out.write(message)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert reader.read(len(messages) * size) == b"".join(messages)


def test_where_the_system_tells_of_no_room(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pipe
    monkeypatch.delattr(select, "poll")
    out = Output(writer)
    for message in (b"a", LONG, b"b"):
        out.write(message)
    assert reader.read(len(LONG) + 2) == b"a" + LONG + b"b"


def test_several_threads(pipe: Pipe) -> None:
    reader, writer = pipe
    out = Output(writer)
    lines = {b"%d:" % number + b"z" * (number * 700) for number in range(100)}

    def write(some: list[bytes]) -> None:
        for line in some:
            out.write(line + b"\n")

    parts = sorted(lines)
    threads = [threading.Thread(target=write, args=(parts[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    read = reader.read(sum(len(line) + 1 for line in lines))
    for thread in threads:
        thread.join()
    assert {*read.splitlines()} == lines


def test_a_client_that_is_gone(pipe: Pipe) -> None:
    reader, writer = pipe
    out = Output(writer)
    out.write(LONG)
    reader.close()
    out.close()
    for message in (b"short", LONG):
        with pytest.raises(BrokenPipeError) as told:
            out.write(message)
        # It does not grow with each message.
        assert len(told.traceback) == 2


def test_the_end_waits_for_what_is_left_but_not_for_ever(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    monkeypatch.setattr(output, "_FAREWELL_SECONDS", 0.05)
    out = Output(writer)
    out.write(LONG)
    out.close()
    assert out._waiting
    assert reader.read(len(LONG)) == LONG
    monkeypatch.setattr(output, "_FAREWELL_SECONDS", 20)
    out = Output(writer)
    out.write(LONG)
    read: list[bytes] = []

    def late() -> None:
        time.sleep(0.1)
        read.append(reader.read(len(LONG)))

    thread = threading.Thread(target=late)
    thread.start()
    out.close()
    assert not out._waiting
    thread.join()
    assert read == [LONG]

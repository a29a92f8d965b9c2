"""Standard input is cut into messages wherever the pipe happens to cut it."""

import asyncio
import json
import logging
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.lsp.stdio import Messages


class Reader:
    """Takes bytes as a pipe would hand them over, and keeps what was read and what went wrong."""

    def __init__(self, fails=()):
        self.read, self.errors = [], []
        self.stop = Event()
        server = SimpleNamespace(
            protocol=SimpleNamespace(handle_message=self._take),
            report_server_error=lambda error, _source: self.errors.append(type(error)),
        )
        self._fails = fails
        self.messages = Messages(server, self.stop)

    def _take(self, message):
        self.read.append(message)
        if message in self._fails:
            raise LookupError
        if message == "exit":
            self.stop.set()

    @property
    def ended(self):
        return self.messages.ended.done()


def frame(message, more=b""):
    body = json.dumps(message, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n%s\r\n%s" % (len(body), more, body)


def reading(work):
    """Run some work on a loop: the end of the input is a future."""

    async def run():
        return work()

    return asyncio.run(run())


@given(
    st.lists(st.text(max_size=20).filter("exit".__ne__), max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_cuts_do_not_matter(texts, sizes):
    data = b"".join(map(frame, texts))

    def work():
        reader = Reader()
        at = 0
        while at < len(data):
            size = sizes[at % len(sizes)]
            reader.messages.data_received(data[at : at + size])
            at += size
        return reader

    assert reading(work).read == texts


@pytest.mark.parametrize(
    "data",
    [
        frame("a", b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n"),
        b"Content-Type: x\r\n" + frame("a"),
        frame("a").replace(b"Content-Length", b"content-length"),
        b"X: 1\r\n\r\n" + frame("a"),
        b"\r\n" * 100_000 + frame("a"),
    ],
    ids=["type-behind", "type-before", "lower-case", "no-length", "only-ends"],
)
def test_odd_headers(data):
    def work():
        reader = Reader()
        reader.messages.data_received(data)
        return reader

    assert reading(work).read == ["a"]


def test_a_message_that_fails_does_not_end_the_next():
    def work():
        reader = Reader(fails=("bad",))
        broken = b"Content-Length: 3\r\n\r\n{]}"
        reader.messages.data_received(frame("bad") + broken + frame("good"))
        return reader

    reader = reading(work)
    assert reader.read == ["bad", "good"]
    assert reader.errors == [LookupError, json.JSONDecodeError]
    assert not reader.ended


def test_nothing_is_handled_after_exit():
    def work():
        reader = Reader()
        reader.messages.data_received(frame("exit") + frame("late"))
        return reader

    reader = reading(work)
    assert reader.read == ["exit"]
    assert reader.ended


def test_what_is_not_lsp_ends_it(caplog):
    def work():
        reader = Reader()
        reader.messages.data_received(b"secret " * 20_000)
        return reader

    assert reading(work).ended
    assert [record.getMessage() for record in caplog.records] == [
        "what the client sends is not LSP"
    ]


def test_an_end_in_the_middle_is_told(caplog):
    caplog.set_level(logging.WARNING)

    def work():
        reader = Reader()
        reader.messages.data_received(frame("secret")[:-2])
        reader.messages.connection_lost(None)
        return reader

    assert reading(work).ended
    assert "secret" not in caplog.text
    assert "in the middle of a message" in caplog.text

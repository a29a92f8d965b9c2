"""Standard input is cut into messages wherever the pipe happens to cut it."""

import asyncio
import json
import logging
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from transformers_ls.lsp import stdio
from transformers_ls.lsp.documents import DocumentStore
from transformers_ls.lsp.stdio import Messages


class Reader:
    """Takes bytes as a pipe would hand them over, and keeps what was read and what went wrong."""

    def __init__(self, fails=()):
        self.read, self.errors = [], []
        self.stop = Event()
        server = SimpleNamespace(
            protocol=SimpleNamespace(handle_message=self._take, documents=DocumentStore()),
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


@pytest.fixture
def few_are_short(monkeypatch):
    monkeypatch.setattr(stdio, "LONG", 10)


async def until_the_end(reader):
    reader.messages.connection_lost(None)
    await asyncio.wait_for(reader.messages.ended, 10)


async def test_messages_behind_a_long_one_wait_for_it(few_are_short):
    texts = ["a", "long " * 500, "b", "long too " * 9, "c"]
    reader = Reader()
    for text in texts:
        reader.messages.data_received(frame(text))
    assert reader.read == ["a"]
    await until_the_end(reader)
    assert reader.read == texts


async def test_a_long_message_that_fails_does_not_end_the_next(few_are_short):
    reader = Reader(fails=("bad and long",))
    broken = b"Content-Length: 30\r\n\r\n" + b"{" * 30
    reader.messages.data_received(frame("bad and long") + broken + frame("good"))
    await until_the_end(reader)
    assert reader.read == ["bad and long", "good"]
    assert reader.errors == [LookupError, json.JSONDecodeError]


async def test_a_long_text_is_opened_as_it_is():
    text = "Caf\u00e9 \U0001f642\r\n" * 50_000
    item = {"uri": "file:///a.md", "languageId": "markdown", "version": 1, "text": text}
    message = {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}
    reader = Reader()
    reader.messages.data_received(frame(message))
    await until_the_end(reader)
    (read,) = reader.read
    name = read["params"]["textDocument"]["text"]
    assert len(name) < 100
    documents = reader.messages._server.protocol.documents
    opened = types.TextDocumentItem(item["uri"], "markdown", 1, name)
    documents.open(opened)
    snapshot = documents.get(item["uri"]).snapshot
    assert snapshot.text == text
    assert snapshot.line_count == 50_001
    # The name stands for it once; after that it is a text like any other.
    documents.open(opened)
    assert documents.get(item["uri"]).snapshot.text == name


async def test_other_long_texts_come_whole():
    text = "Caf\u00e9 \U0001f642\r\n" * 50_000
    changed = {"textDocument": {"uri": "file:///a.md"}, "contentChanges": [{"text": text}]}
    messages = [
        {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": changed},
        {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"text": text}},
    ]
    reader = Reader()
    reader.messages.data_received(b"".join(map(frame, messages)))
    await until_the_end(reader)
    assert reader.read == messages

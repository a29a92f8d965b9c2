"""Bad input, over the real process: a clear answer, bounded memory, and nobody else waits.

Sizes are those that a test run can bear: the long line has 20 MB here (`bench/keystroke.py --sizes`
takes any).
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from queue import Queue
from typing import Any

import psutil
import pytest

from bench.editor import OUR_SERVER, Editor, frame
from tests.support.tiny_tokenizer import make_tokenizer, reference_count

SMALL = "file:///small.md"
LARGE = "file:///large.md"
SMALL_TEXT = "# Small\n\nThe quick brown fox.\n"
SECONDS = 120
MEGABYTE = 2**20


class Client(Editor):
    """An editor whose answers are read in a thread, so that several requests may be under way."""

    def __init__(self, models: list[str]) -> None:
        super().__init__(OUR_SERVER, {"tokenizers": models})
        self.initialize()
        self.notify("initialized", {})
        self._answers: dict[int, Queue[dict[str, Any]]] = {}
        self._sent = 1000
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                message = self._read()
                if "method" in message:
                    if "id" in message:
                        self._answer(message)
                elif message["id"] in self._answers:
                    self._answers[message["id"]].put(message)
        except (RuntimeError, ValueError, OSError):
            return  # The server ended, and with it the pipe.

    def begin(self, method: str, params: Any) -> int:
        self._sent += 1
        self._answers[self._sent] = Queue()
        self.send(frame({"id": self._sent, "method": method, "params": params}))
        return self._sent

    def end(self, number: int, seconds: float = SECONDS) -> Any:
        answer = self._answers[number].get(timeout=seconds)
        assert "error" not in answer, answer
        return answer["result"]

    def is_answered(self, number: int) -> bool:
        return not self._answers[number].empty()

    def open(self, uri: str, text: str, language: str = "markdown") -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def replace(self, uri: str, version: int, text: str) -> None:
        document = {"uri": uri, "version": version}
        changes = [{"text": text}]
        params = {"textDocument": document, "contentChanges": changes}
        self.notify("textDocument/didChange", params)

    def begin_count(self, uri: str) -> int:
        return self.begin("transformers/count", {"textDocument": {"uri": uri}, "ranges": []})

    def count(self, uri: str) -> int:
        """Count a document, once its tokenizer is there."""
        deadline = time.monotonic() + SECONDS
        while True:
            (counts,) = self.end(self.begin_count(uri))["models"]
            if counts["state"] != "loading":
                assert counts["state"] == "ready", counts
                return int(counts["tokens"][0])
            assert time.monotonic() < deadline, counts
            time.sleep(0.05)

    def hover(self, uri: str) -> str:
        position = {"line": 0, "character": 1}
        params = {"textDocument": {"uri": uri}, "position": position}
        answer = self.end(self.begin("textDocument/hover", params))
        return str(answer["contents"]["value"])

    def memory(self) -> int:
        process = psutil.Process(self.process.pid)
        family = [process, *process.children(recursive=True)]
        return sum(member.memory_info().rss for member in family)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def client(tiny):
    with Client([str(tiny)]) as client:
        client.open(SMALL, SMALL_TEXT)
        client.count(SMALL)
        yield client


def test_a_long_line_holds_up_nobody(client, tiny):
    text = "The quick brown fox; " * 1_000_000
    before = client.memory()
    client.open(LARGE, text)
    long = client.begin_count(LARGE)
    shown = {"textDocument": {"uri": LARGE}}
    others = [
        client.begin("textDocument/hover", {**shown, "position": {"line": 0, "character": 9}}),
        client.begin("textDocument/codeLens", shown),
        client.begin(
            "textDocument/inlayHint",
            {
                **shown,
                "range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}},
            },
        ),
    ]
    small = client.hover(SMALL)
    assert f" {reference_count(tiny, SMALL_TEXT)} |" in small
    assert not all(map(client.is_answered, [long, *others]))
    (counts,) = client.end(long)["models"]
    once = reference_count(tiny, text[: 21 * 1000])
    assert counts["tokens"] == [once * 1000]
    for other in others:
        client.end(other)
    # The text takes 20 MB, its UTF-8 and tokens some times that.
    assert client.memory() - before < 1500 * MEGABYTE
    client.notify("textDocument/didClose", {"textDocument": {"uri": LARGE}})


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("markdown", "".join(map(chr, range(256))) * 200),
        ("markdown", "a\ud800b \udfff\ud83d end \udc00"),
        ("markdown", "one\r\ntwo\rthree\nfour\u2028five\r\n\r\r\n"),
        ("markdown", "> " * 30_000 + "deep"),
        ("markdown", "- " * 20_000 + "deep\n" + "[" * 50_000),
        ("json", "[" * 100_000),
        ("json", '{"a":' * 50_000 + "1" + "}" * 50_000),
        ("json", '[{"role": "user", "content": "\\ud800 lone"}]'),
        ("python", "(" * 50_000),
        ("python", "x = " + "'a' " * 20_000),
        ("yaml", "- " * 20_000),
        ("yaml", "a: &a [x]\nb: [" + "*a, " * 10_000 + "]\n"),
        ("jinja", "{% if x %}" * 10_000),
    ],
    ids=lambda value: value if len(value) < 20 else f"{len(value)} characters",
)
def test_odd_documents(client, tiny, language, text):
    uri = f"file:///odd.{language}"
    client.open(uri, text, language)
    shown = {"textDocument": {"uri": uri}}
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 5, "character": 0}}
    requests = [
        client.begin("textDocument/hover", {**shown, "position": {"line": 0, "character": 5}}),
        client.begin("textDocument/inlayHint", {**shown, "range": span}),
        client.begin("textDocument/codeLens", shown),
        client.begin("textDocument/diagnostic", shown),
    ]
    assert f" {reference_count(tiny, SMALL_TEXT)} |" in client.hover(SMALL)
    for request in requests:
        client.end(request)
    plain = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    assert client.count(uri) == reference_count(tiny, plain)
    client.notify("textDocument/didClose", shown)


def test_a_document_in_another_encoding(client, tiny):
    """An editor that reopens a file with another encoding replaces its whole text."""
    uri = "file:///encoded.md"
    right = "# Caf\u00e9 \u65e5\u672c\u8a9e\n\nH\u00e9llo\n" * 100
    texts = [
        right,
        right.encode().decode("latin-1"),
        right.encode("utf-16-le").decode("latin-1"),
        right.encode("latin-1", "replace").decode("utf-8", "replace"),
        right,
    ]
    client.open(uri, texts[0])
    for version, text in enumerate(texts[1:], 2):
        client.replace(uri, version, text)
        assert client.count(uri) == reference_count(tiny, text)
        assert f" {reference_count(tiny, text):,} |" in client.hover(uri)


def test_what_is_no_message(client, tiny):
    """A frame of rubbish is answered or dropped; the next message is served."""
    for body in (b"\xff\xfe\0rubbish", b"[]", b"{", b"[" * 50_000, b'{"jsonrpc": "2.0", "id": 5}'):
        client.send(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert f" {reference_count(tiny, SMALL_TEXT)} |" in client.hover(SMALL)


@pytest.mark.parametrize("kind", ["cut off", "binary", "empty", "deep", "another"])
def test_a_tokenizer_that_is_broken(tiny, tmp_path, kind):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    file = folder / "tokenizer.json"
    whole = file.read_bytes()
    broken = {
        "cut off": whole[: len(whole) // 2],
        "binary": os.urandom(5000),
        "empty": b"",
        "deep": b"[" * 200_000,
        "another": b'{"version": "1.0"}',
    }
    file.write_bytes(broken[kind])
    with Client([str(folder)]) as client:
        client.open(SMALL, SMALL_TEXT)
        deadline = time.monotonic() + SECONDS
        while "loading" in (text := client.hover(SMALL)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (counts,) = client.end(client.begin_count(SMALL))["models"]
    assert counts["state"] == "failed"
    assert "tokenizer" in counts["message"]
    assert any(
        word in counts["message"] for word in ("cut off", "cannot be read", "cannot be loaded")
    )
    assert "Traceback" not in text

"""Texts and tokenizers that are none: an answer, in bounded memory, and the server goes on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.errors import ModelBrokenError
from transformers_ls.tokens import counting_process
from transformers_ls.tokens.engines import ReferenceCounter
from transformers_ls.tokens.remote import RemoteCounter, load_remote_counter
from transformers_ls.tokens.store import TokenizerStore
from transformers_ls.tokens.tokenizers import prepare

LINE_MB = 100


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def far(tiny: Path) -> Iterator[RemoteCounter]:
    counter = load_remote_counter(tiny)
    yield counter
    counter.close()


def test_binary_and_surrogates(tiny: Path, far: RemoteCounter) -> None:
    binary = bytes(range(256)) * 2_000
    reference = ReferenceCounter(prepare(tiny))
    for text in (binary.decode("latin-1"), binary.decode("utf-8", "surrogateescape")):
        encoding = far.encode(text)
        assert encoding == reference.encode(text)
        assert far.count(text) == len(encoding.ids) > 0
    assert far.count("\ud800" * 10_000) == far.count("\ufffd" * 10_000)


def test_a_hundred_megabytes_in_one_line(far: RemoteCounter) -> None:
    line = "many words in one line, " * (LINE_MB * 1_000_000 // 24)
    part = far.count(line[:24_000])
    assert abs(far.count(line) - part * (len(line) // 24_000)) <= part
    pid = far.pid
    assert pid is not None
    # What the engine keeps of the text must not be a multiple of it.
    assert psutil.Process(pid).memory_info().rss < 1_500 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_process_without_memory_ends_and_the_next_one_counts(
    far: RemoteCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the text took more than there is: the limit is set to what the process has.

    An engine that gets no memory may also hang; then its time ends it.
    """
    import resource

    monkeypatch.setattr(counting_process, "_SECONDS", 5.0)
    pid = far.pid
    assert pid is not None
    used = psutil.Process(pid).memory_info().vms
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    assert hard == resource.RLIM_INFINITY or hard > used
    resource.prlimit(pid, resource.RLIMIT_AS, (used, hard))
    text = "The quick brown fox.\n" * 300_000
    try:
        tokens = far.count(text)
    except ModelBrokenError as error:
        assert "failed on this text" in str(error) or error.hint
    else:
        assert tokens > 300_000
    assert far.count("Hi") > 0


def test_a_hostile_tokenizer_fails_and_the_others_load(tiny: Path, tmp_path: Path) -> None:
    values = json.loads((tiny / "tokenizer.json").read_text())
    files = {
        "deep": b'{"model":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "cut": (tiny / "tokenizer.json").read_bytes()[:-400],
        "odd": json.dumps({**values, "pre_tokenizer": {"type": "Split"}}).encode(),
        "noise": os.urandom(1 << 16) + b"}",
    }
    for name, data in files.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_bytes(data)
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(1 << 30)
    store = TokenizerStore(Path)
    try:
        for path in (*(tmp_path / name for name in files), tmp_path / "huge.json"):
            entry = store.wait(str(path))
            assert (entry.state, entry.counter) == ("failed", None)
            assert entry.message
        assert store.wait(str(tiny)).state == "ready"
    finally:
        store.close()

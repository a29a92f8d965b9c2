"""Counting many files: the same numbers as one by one, whatever the files are."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import make_tokenizer, reference_count
from transformers_ls.folders import datasets
from transformers_ls.folders.count import StoppedError, count_files
from transformers_ls.folders.datasets import Distribution, summarize
from transformers_ls.folders.decode import NotTextError, decode
from transformers_ls.folders.report import Model, Report
from transformers_ls.folders.walk import Found, walk
from transformers_ls.tokens.tokenizers import load_counter


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def counter(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield load_counter(tiny)


def test_every_file_is_counted_as_alone(tmp_path, tiny, counter):
    source = random.Random(7)
    texts = {}
    for number in range(600):
        text = "".join(
            source.choices("abc de\n\r\u00e9\u65e5\U0001f642<|im_end|>", k=source.randrange(0, 400))
        )
        path = tmp_path / f"{number % 7}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        texts[str(path)] = text
    progress = []
    counts = count_files(walk(tmp_path), [counter, counter], on_progress=progress.append)
    assert counts.skipped == []
    assert [file.path for file in counts.files] == [item.shown for item in walk(tmp_path)]
    for file in counts.files:
        text = texts[file.path]
        assert file.characters == len(text)
        assert file.tokens == (reference_count(tiny, text),) * 2
    size = sum(len(text.encode()) for text in texts.values())
    assert (progress[-1].files, progress[-1].done, progress[-1].total) == (600, size, size)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfab", "ab"),
        ("a\u00e9\U0001f642".encode("utf-16"), "a\u00e9\U0001f642"),
        (b"\xfe\xff" + "a\u00e9".encode("utf-16-be"), "a\u00e9"),
        ("a\u00e9".encode("utf-32"), "a\u00e9"),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
        (b"", ""),
    ],
)
def test_decode(data, text):
    assert decode(data) == text


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary", "is binary"),
        (b"caf\xe9", "encoding", "not UTF-8 text (byte 3)"),
        (b"\xed\xa0\x80", "encoding", "not UTF-8"),
        (b"\xff\xfea", "encoding", "not UTF-16"),
    ],
)
def test_no_text(data, kind, words):
    with pytest.raises(NotTextError) as raised:
        decode(data)
    assert raised.value.kind == kind
    assert words in raised.value.reason


def test_what_cannot_be_counted_is_said(tmp_path, counter):
    (tmp_path / "a.bin").write_bytes(b"\0\1")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    (tmp_path / "c.txt").write_text("x" * 1001)
    (tmp_path / "d.txt").write_text("x" * 1000)
    gone = Found(str(tmp_path / "gone"), "gone", 5)
    grown = Found(str(tmp_path / "c.txt"), "grown", 5)
    counts = count_files([*walk(tmp_path), gone, grown], [counter], max_bytes=1000)
    assert [Path(file.path).name for file in counts.files] == ["d.txt"]
    kinds = {Path(item.shown).name: item.kind for item in counts.skipped}
    assert kinds == {
        "a.bin": "binary",
        "b.txt": "encoding",
        "c.txt": "too-large",
        "gone": "unreadable",
        "grown": "too-large",
    }


def test_a_stop_leaves_no_half_result(tmp_path, counter):
    for number in range(50):
        (tmp_path / f"{number}.txt").write_text("some text\n" * 10_000)
    stop = threading.Event()
    with pytest.raises(StoppedError):
        count_files(walk(tmp_path), [counter], stop=stop, on_progress=lambda _: stop.set())


def test_an_error_in_a_thread_is_not_lost(tmp_path, counter):
    class Broken:
        def count_many(self, texts):
            raise ArithmeticError

    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ArithmeticError):
        count_files(walk(tmp_path), [Broken()])


ROWS = [
    {
        "messages": [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi you"},
        ]
    },
    {"messages": [{"role": "user", "content": "a much longer question"}], "n": 3, "tags": [["x"]]},
    {"a.b": "dotted", "lone": "\ud800 surrogate"},
    "a row that is a text",
]


def test_the_fields_of_a_dataset(tmp_path, tiny, counter):
    path = tmp_path / "rows.jsonl"
    lines = [
        "\ufeff" + json.dumps(ROWS[0]),
        "",
        json.dumps(ROWS[1]),
        '{"cut": "o',
        *map(json.dumps, ROWS[2:]),
    ]
    path.write_bytes(
        "\n".join(lines).encode() + b'\n\xff\n{"n": ' + b"1" * 5000 + b"}\n" + b"[" * 100_000
    )
    counts = count_files(walk(tmp_path), [counter])
    (skipped,) = counts.skipped
    assert skipped.kind == "encoding"
    (dataset,) = counts.datasets
    assert (dataset.rows, dataset.broken) == (4, 4)
    assert [broken.line for broken in dataset.broken_lines] == [4, 7, 8, 9]
    assert not any("cut" in broken.reason for broken in dataset.broken_lines)
    expected = {
        "messages[].role": ["user", "assistant", "user"],
        "messages[].content": ["hello", "hi you", "a much longer question"],
        "tags[][]": ["x"],
        '"a.b"': ["dotted"],
        "lone": ["\ufffd surrogate"],
        "(row)": ["a row that is a text"],
    }
    assert list(dataset.fields) == list(expected)
    for name, texts in expected.items():
        tokens = sorted(reference_count(tiny, text) for text in texts)
        assert sorted(dataset.fields[name][0].histogram.elements()) == tokens
    answer = Report([Model("tiny", 100, exact=True)], counts).as_json()
    lengths = [reference_count(tiny, text) for text in expected["messages[].content"]]
    assert answer["datasets"][0]["fields"]["messages[].content"]["tiny"] == {
        "count": 3,
        "p50": sorted(lengths)[1],
        "p90": max(lengths),
        "p99": max(lengths),
        "max": max(lengths),
        "total": sum(lengths),
    }


def test_a_line_without_end_is_not_held(tmp_path, counter, monkeypatch):
    monkeypatch.setattr(datasets, "_LINE_BYTES", 100)
    path = tmp_path / "rows.jsonl"
    path.write_text('"' + "x" * 350 + '"\n"short"\n')
    dataset = summarize(Found(str(path), "rows.jsonl", 0), [counter])
    assert (dataset.rows, dataset.broken) == (1, 1)
    assert dataset.broken_lines[0].line == 1
    assert "longer than" in dataset.broken_lines[0].reason


def test_keys_that_are_data_do_not_fill_the_memory(tmp_path, counter):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({f"id{n}": "text"}) + "\n" for n in range(2000)))
    dataset = summarize(Found(str(path), "rows.jsonl", 0), [counter])
    assert len(dataset.fields) == 501
    assert sum(field[0].count for field in dataset.fields.values()) == 2000


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_by_nearest_rank(seed):
    source = random.Random(seed)
    values = sorted(source.randrange(50) for _ in range(source.randrange(1, 300)))
    distribution = Distribution()
    distribution.histogram.update(values)
    for percent in (50, 90, 99, 100):
        rank = -(-percent * len(values) // 100)
        assert distribution.percentiles(percent) == [values[rank - 1]]


def test_sums_of_folders(tmp_path, counter):
    for name in ("a/x.md", "a/b/y.md", "z.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("some text " * len(name))
    report = Report([Model("tiny", None, exact=True)], count_files(walk(tmp_path), [counter]))
    files = {Path(file.path).name: file.tokens[0] for file in report.counts.files}
    sums = {sums.path: (sums.files, sums.tokens[0]) for sums in report.folders()}
    assert sums[str(tmp_path)] == (3, sum(files.values()))
    assert sums[str(tmp_path / "a")] == (2, files["x.md"] + files["y.md"])
    assert sums[str(tmp_path / "a" / "b")] == (1, files["y.md"])
    assert report.total.tokens == [sum(files.values())]
    assert [Path(file.path).name for file in report.largest(1)] == ["y.md"]

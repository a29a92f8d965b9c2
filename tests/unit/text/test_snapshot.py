"""The snapshot against a naive oracle: a plain string, scanned from the start each time."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformers_ls.text import chunks
from transformers_ls.text.snapshot import Position, PositionEncoding, Range, Snapshot

WIDTH = {
    PositionEncoding.UTF8: lambda c: len(c.encode("utf-8", "surrogatepass")),
    PositionEncoding.UTF16: lambda c: 2 if ord(c) > 0xFFFF else 1,
    PositionEncoding.UTF32: lambda c: 1,
}
ENCODINGS = list(PositionEncoding)
PIECES = [
    "\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "a", "bc ", "é", "漢字",
    "🤗", "👩‍👩‍👧", "e\u0301", "\ud83d", "\ude00", "\ud800", "", "\t", "x" * 70, "\r" * 5, "\n\r\n\r",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
encodings = st.sampled_from(ENCODINGS)


class Oracle:
    """Positions by scanning."""

    def __init__(self, text: str) -> None:
        self.text = text
        spans = [m.span() for m in re.finditer("\r\n|\n|\r", text)]
        self.starts = [0, *(end for _, end in spans)]
        self.ends = [*(start for start, _ in spans), len(text)]

    def offset_at(self, position: Position, encoding: PositionEncoding) -> int:
        if position.line >= len(self.starts):
            return len(self.text)
        at = self.starts[position.line]
        left = position.character
        while at < self.ends[position.line] and WIDTH[encoding](self.text[at]) <= left:
            left -= WIDTH[encoding](self.text[at])
            at += 1
        return at

    def position_at(self, offset: int, encoding: PositionEncoding) -> Position:
        line = max(i for i, start in enumerate(self.starts) if start <= offset)
        end = min(offset, self.ends[line])
        units = sum(WIDTH[encoding](c) for c in self.text[self.starts[line] : end])
        return Position(line, units)


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves of a few characters, so that each example crosses many borders."""
    monkeypatch.setattr(chunks, "LEAF_SIZE", 7)
    monkeypatch.setattr(chunks, "BLOCK_WIDTH", 4)
    monkeypatch.setattr("transformers_ls.text.snapshot.LEAF_SIZE", 7)
    monkeypatch.setattr("transformers_ls.text.snapshot._SMALL_LEAF", 2)
    monkeypatch.setattr("transformers_ls.text.snapshot._SMALL_BLOCK", 2)


def check(snapshot: Snapshot, text: str) -> None:
    oracle = Oracle(text)
    pieces = [leaf.text for block in snapshot._root.children for leaf in block.children]
    assert "".join(pieces) == text
    assert all(pieces)
    assert not any(a.endswith("\r") and b.startswith("\n") for a, b in pairwise(pieces))
    assert len(snapshot) == len(text)
    assert snapshot.line_count == len(oracle.starts)
    assert [snapshot.line(n) for n in range(snapshot.line_count)] == [
        text[a:b] for a, b in zip(oracle.starts, oracle.ends, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(texts, encodings)
def test_positions_are_those_of_a_scan(text: str, encoding: PositionEncoding) -> None:
    snapshot, oracle = Snapshot.of(text), Oracle(text)
    check(snapshot, text)
    for offset in range(len(text) + 1):
        expected = oracle.position_at(offset, encoding)
        assert snapshot.position_at(offset, encoding) == expected
    for line in range(len(oracle.starts) + 2):
        for character in range(24):
            position = Position(line, character)
            assert snapshot.offset_at(position, encoding) == oracle.offset_at(position, encoding)


@settings(max_examples=150, deadline=None)
@given(texts, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), texts), max_size=12))
def test_edits_are_those_of_a_string(text: str, edits: list[tuple[float, float, str]]) -> None:
    snapshot = Snapshot.of(text)
    for a, b, replacement in edits:
        start, end = sorted((round(a * len(text)), round(b * len(text))))
        before, old = snapshot, text
        snapshot = snapshot.edit(start, end, replacement)
        text = text[:start] + replacement + text[end:]
        check(snapshot, text)
        assert snapshot.slice(start, start + 30) == text[start : start + 30]
        assert snapshot.text == text
        assert snapshot.slice(start, start + 30) == text[start : start + 30]
        assert "".join(x.text for blk in before._root.children for x in blk.children) == old
        # What is known of places is taken over from the text before, in every unit.
        oracle = Oracle(text)
        for encoding in ENCODINGS:
            for offset in {0, start, start + len(replacement), len(text) // 2, len(text)}:
                position = oracle.position_at(offset, encoding)
                assert snapshot.position_at(offset, encoding) == position
                assert snapshot.offset_at(position, encoding) == oracle.offset_at(
                    position, encoding
                )


@settings(max_examples=100, deadline=None)
@given(
    texts,
    encodings,
    st.lists(st.tuples(*[st.integers(0, 12)] * 4, texts), max_size=6),
)
def test_lsp_changes_are_applied_in_order(
    text: str, encoding: PositionEncoding, changes: list[tuple[int, int, int, int, str]]
) -> None:
    spans = []
    expected = text
    for a, b, c, d, replacement in changes:
        low, high = sorted([Position(a, b), Position(c, d)])
        spans.append((Range(low, high), replacement))
        oracle = Oracle(expected)
        start, end = oracle.offset_at(low, encoding), oracle.offset_at(high, encoding)
        expected = expected[:start] + replacement + expected[max(start, end) :]
    assert Snapshot.of(text).apply(spans, encoding).text == expected


@given(st.lists(texts, max_size=5), encodings)
def test_pieces_are_the_text_that_they_make(pieces: list[str], encoding: PositionEncoding) -> None:
    text = "".join(pieces)
    snapshot, whole = Snapshot.of_pieces(pieces), Snapshot.of(text)
    assert snapshot.text == text
    assert snapshot.line_count == whole.line_count
    for offset in range(len(text) + 1):
        assert snapshot.position_at(offset, encoding) == whole.position_at(offset, encoding)
    for leaf, following in pairwise(leaf for block in snapshot.blocks for leaf in block.children):
        assert leaf.text
        assert not (leaf.text.endswith("\r") and following.text.startswith("\n"))


def test_no_range_replaces_the_whole_text() -> None:
    changes = [(None, "one\ntwo"), (Range(Position(1, 0), Position(1, 3)), "2")]
    assert Snapshot.of("old").apply(changes, PositionEncoding.UTF16).text == "one\n2"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_odd_positions_are_clamped(encoding: PositionEncoding) -> None:
    snapshot = Snapshot.of("ab\r\ncd")
    cases = {(-1, 5): 0, (0, -3): 0, (0, 99): 2, (1, 99): 6, (9, 0): 6}
    assert {k: snapshot.offset_at(Position(*k), encoding) for k in cases} == cases
    assert snapshot.position_at(99, encoding) == Position(1, 2)
    assert snapshot.position_at(-1, encoding) == Position(0, 0)
    assert snapshot.position_at(3, encoding) == Position(0, 2), "inside a line end"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_empty_text(encoding: PositionEncoding) -> None:
    snapshot = Snapshot.of("")
    assert (len(snapshot), snapshot.line_count, snapshot.text) == (0, 1, "")
    assert snapshot.line(0) == ""
    assert snapshot.position_at(3, encoding) == Position(0, 0)
    assert snapshot.offset_at(Position(0, 4), encoding) == 0
    assert snapshot.edit(0, 0, "x").edit(0, 1, "").edit(0, 9, "y").text == "y"
    assert snapshot

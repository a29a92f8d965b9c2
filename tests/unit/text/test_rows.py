"""Rows around a range are those of the whole text that touch it."""

from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.rows import rows_around, rows_of
from transformers_ls.text.snapshot import Snapshot

TEXTS = st.lists(st.sampled_from(["a", "{}", "\n", "\r", "\r\n", "é"]), max_size=30).map("".join)


@given(TEXTS, st.integers(0, 40), st.integers(0, 40))
def test_rows_are_whole_and_touch_the_range(text, start, size):
    start = min(start, len(text))
    end = min(start + size, len(text))
    rows = rows_around(Snapshot.of(text), start, end)
    assert rows is not None
    # An offset between the two halves of a line end is one before it.
    begin = text.rfind("\n", 0, start - (text[start - 1 : start + 1] == "\r\n")) + 1
    assert rows.start == begin
    behind = text.find("\n", end)
    assert rows.end == (len(text) if behind < 0 else behind + 1)


def test_ends_that_are_far_away_are_not_looked_for():
    snapshot = Snapshot.of("row\r" * 200)
    assert rows_around(snapshot, 400, 400) is None
    assert rows_around(Snapshot.of("row\n" * 200), 400, 400) == (400, 404, 100)


@given(TEXTS)
def test_rows_are_those_that_split_finds(text):
    assert list(rows_of(Snapshot.of(text))) == text.split("\n")


def test_rows_of_all_lengths_are_whole():
    lengths = [0, 1, 4_095, 4_096, 65_535, 65_536, 65_537, 200_000, 0]
    text = "\n".join("r" * length for length in lengths)
    assert list(rows_of(Snapshot.of(text))) == text.split("\n")

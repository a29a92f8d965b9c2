"""Where results go."""

from __future__ import annotations

import pytest

from transformers_ls.tasks.edits import place, relocate
from transformers_ls.text.snapshot import Snapshot


def placed(text: str, part: str, result: str, placement: str, **options) -> str:
    start = text.index(part)
    edit = place(Snapshot.of(text), start, start + len(part), result, placement, **options)
    return text[: edit.start] + edit.text + text[edit.end :]


@pytest.mark.parametrize(
    ("text", "part", "wanted"),
    [
        ("One line.", "One line.", "One line.\n\nRESULT"),
        ("One line.\n", "One line.", "One line.\n\nRESULT\n"),
        ("One line.\n", "One line.\n", "One line.\n\nRESULT\n"),
        ("One.\nTwo.\n", "One.", "One.\n\nRESULT\n\nTwo.\n"),
        ("One.\n\nTwo.\n", "One.", "One.\n\nRESULT\n\nTwo.\n"),
        ("Some words here.\n\nTwo.", "words", "Some words here.\n\nRESULT\n\nTwo."),
        ("One.\r\n\r\nTwo.", "One.", "One.\r\n\r\nRESULT\r\n\r\nTwo."),
        ("a" * 2000 + "\nTwo.", "aaa", "a" * 2000 + "\n\nRESULT\n\nTwo."),
    ],
)
def test_below_the_selections_last_line(text, part, wanted):
    assert placed(text, part, " RESULT\n", "below") == wanted


@pytest.mark.parametrize(
    ("part", "wanted"),
    [("two", "one RESULT three"), (" two ", "one RESULT three"), ("one two three", "RESULT")],
)
def test_in_place_of_the_selection(part, wanted):
    assert placed("one two three", part, "RESULT", "replace") == wanted


def test_a_summary_does_not_break_code():
    text = "def f():\n    return 1\n"
    result = placed(
        text, "return 1", "First.\n\nSecond.", "below", language_id="python", as_comment=True
    )
    assert result == "def f():\n    return 1\n\n# First.\n#\n# Second.\n"
    compile(result, "x", "exec")


@pytest.mark.parametrize(
    ("before", "start", "now", "wanted"),
    [
        ("xx part yy", 3, "xx part yy", 3),
        ("xx part yy", 3, "xx part, edited below", 3),
        ("xx part yy", 3, "edited above: part yy", 14),
        ("xx part yy", 3, "both part sides", 5),
        ("xx part yy", 3, "xx edited yy", None),
        ("xx part yy", 3, "both part and part", None),
        # One of two copies was selected, and edited: the other one is not what the user meant.
        ("Hello\nmid\nHello", 0, "Hallo\nmid\nHello", None),
        ("TODO\nTODO\n", 0, "TODO\nnew\nTODO\n", 0),
        ("TODO\nTODO\n", 5, "new\nTODO\nTODO\n", 9),
    ],
)
def test_relocate(before, start, now, wanted):
    part = before[start:].split("\n")[0].split(" ")[0]
    assert relocate(Snapshot.of(before), Snapshot.of(now), start, part) == wanted


def test_a_result_takes_the_documents_line_ends():
    assert placed("One.\r\nTwo.", "One.", "A\nB", "replace") == "A\r\nB\r\nTwo."

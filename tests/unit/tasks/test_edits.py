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
    ("now", "wanted"),
    [
        ("xx part yy", 3),
        ("part moved", 0),
        ("much further: part", 14),
        ("it was edited", None),
        ("part and part", None),
    ],
)
def test_relocate(now, wanted):
    assert relocate(Snapshot.of(now), 3, "part") == wanted

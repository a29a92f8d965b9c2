"""Hidden characters are found, and those that writing needs are not."""

# ruff: noqa: RUF001 - ambiguous characters are the point.

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.texts import NASTY
from transformers_ls.checks.hidden import find_hidden, hidden_message
from transformers_ls.text.snapshot import Snapshot


@pytest.mark.parametrize(
    ("text", "span", "severity", "message"),
    [
        ("zero\u200bwidth", (4, 5), "information", "U+200B ZERO WIDTH SPACE"),
        ("soft\u00ad\u00adhyphen", (4, 6), "information", "2 × U+00AD SOFT HYPHEN"),
        ("a\ufeffb", (1, 2), "information", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("a\u00a0\u00a0b", (1, 3), "information", "2 × U+00A0 NO-BREAK SPACE"),
        ("a\x1b[0m", (1, 2), "information", "U+001B control character"),
        ("x = '\u202e' # ad", (5, 6), "warning", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("שלום \u202e x", (5, 6), "warning", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("left \u200f right", (5, 6), "information", "U+200F RIGHT-TO-LEFT MARK"),
        ("ab\u200dcd", (2, 3), "information", "U+200D ZERO WIDTH JOINER"),
        ("word\u2060\u2060", (4, 6), "information", "2 × U+2060 WORD JOINER"),
        ("x\ufe0f", (1, 2), "information", "U+FE0F VARIATION SELECTOR-16"),
        ("a\u3164b", (1, 2), "information", "U+3164 HANGUL FILLER"),
    ],
)
def test_found(text: str, span: tuple[int, int], severity: str, message: str) -> None:
    (hidden,) = find_hidden(Snapshot.of(text))
    assert (hidden.start, hidden.end) == span
    assert hidden.severity == severity
    assert hidden_message(hidden) == message


def test_text_in_tags_and_in_selectors_is_told() -> None:
    order = "ignore all"
    tags = "".join(chr(0xE0000 + ord(char)) for char in order)
    selectors = "".join(chr(0xE0100 + ord(char) - 16) for char in order)
    for smuggled in (f"Hi{tags}!", f"Hi😊{selectors}!", f"\U0001f3f4{tags}"):
        (hidden,) = find_hidden(Snapshot.of(smuggled))
        assert hidden.severity == "warning"
        assert "which spell 'ignore all'" in hidden_message(hidden)


@pytest.mark.parametrize(
    "text",
    [
        "plain text\n\twith tabs\r\nand lines\f",
        "\ufefffirst",
        "👩‍👩‍👧‍👦 👍🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☺️ ❤️‍🔥 🧑🏽‍💻 🏳️‍🌈 1️⃣ ©️ 👨‍⚕️",
        "می‌خواهم کتاب‌ها را بخوانم",
        "क्‍ष र्‍य हिन्दी",
        "ক্‌ষ",
        "ශ්‍රී ලංකා",
        "สวัสดี\u200bครับ",
        "ខ្ញុំ\u200bចូលចិត្ត",
        "שלום \u200fworld\u200e!",
        "\u2067مرحبا\u2069",
        "葛\U000e0100城",
        "≨\ufe00",
        "10\u00a0€ et «\u00a0mots\u00a0»",
        "\u3000\u3000段落",
        "caf\u00e9 e\u0301",
    ],
)
def test_writing_is_left_alone(text: str) -> None:
    assert list(find_hidden(Snapshot.of(text))) == []


@given(st.text(alphabet="a \u200b\u200d\u00a0\ufe0f👩\n\U000e0041"))
def test_spans_are_what_they_say(text: str) -> None:
    end = 0
    for hidden in find_hidden(Snapshot.of(text)):
        assert hidden.start >= end
        assert text[hidden.start : hidden.end] == hidden.text != ""
        end = hidden.end


@pytest.mark.parametrize(
    "run", ["\u200b" * 10_000, "\u200b", "\u00a0" * 9_000, "\u00a0\u00a0", "\u200b\u00ad"]
)
@pytest.mark.parametrize("before", [4_090, 4_094, 4_095, 4_096, 12_287])
def test_a_run_across_leaves(run: str, before: int) -> None:
    text = ("a" * before + run).ljust(24_576 + len(run), "b")
    found = [(h.start, h.end) for h in find_hidden(Snapshot.of(text))]
    assert found == [(before, before + len(run))]


def test_runs_far_from_each_other() -> None:
    text = "a" * 16_380 + "\u200b" * 100 + "b" * 70_000 + "\u00ad"
    found = [(h.start, h.end) for h in find_hidden(Snapshot.of(text))]
    assert found == [(16_380, 16_480), (86_480, 86_481)]


def test_blanks_are_none_of_the_run_beside_them() -> None:
    text = "a\u200b\u00a0\u00a0\u200bb\u00a0c"
    found = [(h.start, h.end) for h in find_hidden(Snapshot.of(text))]
    assert found == [(1, 2), (2, 4), (4, 5)]


def test_nasty_texts_have_an_answer() -> None:
    for text in NASTY:
        for hidden in find_hidden(Snapshot.of(text)):
            assert hidden_message(hidden)

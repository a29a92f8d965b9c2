"""What of a model's words is the answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.tasks.answers import Answer, Reasoning, protected


def feed(text: str, size: int) -> tuple[str, Reasoning]:
    reasoning = Reasoning()
    shown = "".join(
        reasoning.push(text[start : start + size]) for start in range(0, len(text), size)
    )
    return shown + reasoning.end(), reasoning


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "answer", "inside"),
    [
        ("Plain.", "Plain.", False),
        ("<think>Hm.</think>\n\nPlain.", "\n\nPlain.", False),
        ("\n<think>\nA <b> c\n</think>Done </think>.", "Done </think>.", False),
        ("<think>never ends", "", True),
        ("<thin ice", "<thin ice", False),
        ("A <think>b</think>", "A <think>b</think>", False),
        ("<thi", "<thi", False),
        ("", "", False),
    ],
)
def test_reasoning_stays_out(text, answer, inside, size):
    shown, reasoning = feed(text, size)
    assert (shown, reasoning.inside) == (answer, inside)


@given(st.text(alphabet="<think>/ a", max_size=40), st.integers(1, 9))
def test_how_it_comes_in_pieces_changes_nothing(text, size):
    assert feed(text, size)[0] == feed(text, 1000)[0]


def test_reasoning_is_told_while_it_lasts():
    answer = Answer("x", careful=False)
    answer.push("<think>Well")
    assert (answer.thinks, answer.shown()) == (True, "")
    answer.push(", yes.</think>\n\nYes.")
    assert (answer.thinks, answer.shown()) == (False, "Yes.")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Run `a b` and see https://x.example/y.", ["`a b`", "https://x.example/y"]),
        (
            "Hi {name}, {{ user.first }} and %s or %(n)d",
            ["{name}", "{{ user.first }}", "%s", "%(n)d"],
        ),
        ("A <b>bold</b> word for me@example.org", ["<b>", "</b>", "me@example.org"]),
        ("Costs 5% in all, a < b", []),
    ],
)
def test_what_a_translation_must_not_touch(text, parts):
    assert protected(text) == parts

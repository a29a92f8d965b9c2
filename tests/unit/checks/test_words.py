"""Words are found wherever they stand, and again after an edit."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.words import problems
from transformers_ls.checks.words import words_in
from transformers_ls.text.chunks import LEAF_SIZE
from transformers_ls.text.snapshot import Snapshot

WORDS = frozenset({"<|im_end|>", "<|im_start|>", "<s>", "{%", "max-tokens"})


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_across_leaves(word: str) -> None:
    for before in range(LEAF_SIZE - len(word) - 2, LEAF_SIZE + 2):
        text = ("a" * before + word).ljust(8 * LEAF_SIZE, "b")
        words = words_in(Snapshot.of(text), WORDS)
        assert words.found == {word}
        assert any(start <= before < end for start, end in words.places(word))
        assert words.places(*(WORDS - {word})) == []


def test_after_edits_all_is_as_if_looked_for_anew() -> None:
    """Edits at the ends of leaves make and unmake words of which another leaf has the beginning."""
    rng = random.Random(7)
    snapshot = Snapshot.of("ab" * 5 * LEAF_SIZE)
    parts = ["<|im_", "end|>", "<", "s>", "{", "%", "max-", "tokens", "<|im_end|>", "a"]
    for _ in range(400):
        edge = LEAF_SIZE * rng.randint(0, 10)
        start = max(0, min(len(snapshot), edge + rng.randint(-12, 12)))
        snapshot = snapshot.edit(start, start + rng.choice([0, 0, 3, 9]), rng.choice(parts))
        known, new = words_in(snapshot, WORDS), words_in(Snapshot.of(snapshot.text), WORDS)
        assert known.found == new.found == {word for word in WORDS if word in snapshot.text}


def test_other_words_are_looked_for_anew() -> None:
    snapshot = Snapshot.of("one two")
    assert words_in(snapshot, {"one"}).found == {"one"}
    assert words_in(snapshot, {"two", ""}).found == {"two"}
    assert words_in(snapshot, {"one"}).found == {"one"}
    assert words_in(snapshot, ()).found == frozenset()


@pytest.mark.parametrize("before", [LEAF_SIZE - 5, 3 * LEAF_SIZE - 10, 700 * LEAF_SIZE])
def test_a_special_token_is_told_once_at_its_place(before: int) -> None:
    text = ("a" * before + " <|im_end|> ").ljust(701 * LEAF_SIZE, "b")
    (problem,) = problems("plaintext", text)
    assert text[problem.start : problem.end] == "<|im_end|>"


def test_tokens_side_by_side_are_told_apart() -> None:
    text = "x" * (LEAF_SIZE - 15) + "<|im_end|>" * 3 + "<|im_start|>" + "y" * LEAF_SIZE
    found = [text[problem.start : problem.end] for problem in problems("plaintext", text)]
    assert found == ["<|im_end|>"] * 3 + ["<|im_start|>"]


@pytest.mark.parametrize("mark", ["\n", "\r\n"])
def test_a_limit_far_down_is_found_with_its_line(mark: str) -> None:
    text = f"# One{mark}" + f"word{mark}" * 3_000 + f"# Two{mark}<!-- max-tokens: x -->{mark}"
    (problem,) = problems("markdown", text)
    assert (problem.code, text[problem.start : problem.end]) == ("budget-invalid", "x")


@given(
    st.text(alphabet="<|ab>{%", max_size=60),
    st.frozensets(st.text(alphabet="<|ab>{%", min_size=1, max_size=4), max_size=12),
)
def test_what_is_found_is_what_stands_there(text: str, words: frozenset[str]) -> None:
    assert words_in(Snapshot.of(text), words).found == {word for word in words if word in text}

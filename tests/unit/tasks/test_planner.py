"""Cutting a long text into parts that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.tasks.pieces import blocks, paragraphs, sentences
from transformers_ls.tasks.planner import split

TEXT = """# Title

First paragraph. It has two sentences.

```python
x = 1

y = 2
```

Last paragraph, on
two lines.
"""


def words(text: str) -> int:
    return len(text.split())


def test_parts_are_whole_blocks():
    assert split(TEXT, 100, words) == [TEXT]
    assert split(TEXT, 9, words) == [
        "# Title\n\nFirst paragraph. It has two sentences.\n\n",
        "```python\nx = 1\n\ny = 2\n```\n\n",
        "Last paragraph, on\ntwo lines.\n",
    ]


def test_a_long_block_is_cut_at_the_best_place():
    assert split("One two three. Four five six. Seven.", 4, words) == [
        "One two three. ",
        "Four five six. Seven.",
    ]
    assert split("a b\nc d\ne f", 4, words) == ["a b\nc d\n", "e f"]
    assert split("a b c d e", 2, words) == ["a b ", "c d ", "e"]
    assert split("abcdefgh", 3, len) == ["abc", "def", "gh"]


def test_what_follows_a_long_block_fills_its_last_part():
    assert split("a b c d e\n\nf\n\ng", 4, words) == ["a b c d ", "e\n\nf\n\ng"]


texts = st.text(alphabet="ab .!?\n`~-#>日🙂\t\r", max_size=200)


@given(texts, st.integers(1, 12), st.sampled_from([words, len, lambda text: len(text.encode())]))
def test_nothing_is_lost_and_all_parts_fit(text, budget, count):
    parts = split(text, budget, count)
    assert "".join(parts) == text
    assert all(parts)
    assert all(count(part) <= budget or len(part) == 1 for part in parts)


@given(texts)
def test_pieces_join_to_the_text(text):
    for cut in (sentences, paragraphs):
        assert "".join(piece.text for piece in cut(text)) == text
    assert "".join(blocks(text)) == text


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("One.\nTwo.\n\nThree.", ["One.\nTwo.", "Three."]),
        (
            TEXT,
            ["# Title", "First paragraph. It has two sentences.", "Last paragraph, on\ntwo lines."],
        ),
        ("---\na: b\n---\nText\n\n---\n", ["Text"]),
    ],
)
def test_paragraphs(text, prose):
    assert [piece.text for piece in paragraphs(text) if piece.is_prose] == prose

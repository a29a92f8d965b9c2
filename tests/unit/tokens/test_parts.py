"""Tokens of the parts of a text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.tokens.parts import Part, Tokens, gaps_between

TEXT = "<|im_start|>user\nCafé 🙂 日本<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def offsets(tmp_path_factory) -> list[tuple[int, int]]:
    from tokenizers import Tokenizer

    folder = make_tokenizer(tmp_path_factory.mktemp("models") / "tiny")
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    return list(tokenizer.encode(TEXT, add_special_tokens=False).offsets)


def test_parts_that_cover_a_text_add_up(offsets):
    """Wherever the text is cut, each token is counted once; a token never begins in two parts."""
    for cut in range(len(TEXT) + 1):
        parts = Tokens(offsets).count([(0, cut), (cut, len(TEXT))])
        assert sum(part.tokens for part in parts) == len(offsets)
        assert parts[0].tokens == sum(start < cut for start, _ in offsets)
        crossed = any(start < cut < end for start, end in offsets)
        assert [part.exact for part in parts] == [not crossed, not crossed]


def test_a_cut_between_tokens_counts_what_the_piece_has_alone(offsets):
    end = TEXT.index("<|im_end|>") + len("<|im_end|>")
    (part,) = Tokens(offsets).count([(0, end)])
    assert part == Part(0, end, sum(stop <= end for _, stop in offsets), exact=True)


def test_a_long_token_may_hide_behind_a_short_one():
    assert Tokens([(0, 5), (2, 3)]).count([(0, 4), (4, 5)]) == [
        Part(0, 4, 2, exact=False),
        Part(4, 5, 0, exact=False),
    ]


@pytest.mark.parametrize(
    ("spans", "gaps"),
    [
        ([], [(0, 9)]),
        ([(0, 9)], []),
        ([(0, 2), (2, 5)], [(5, 9)]),
        ([(1, 2), (4, 9)], [(0, 1), (2, 4)]),
        ([(3, 3)], [(0, 3), (3, 9)]),
    ],
)
def test_gaps(spans, gaps):
    assert gaps_between(9, spans) == gaps
    assert gaps_between(0, []) == []

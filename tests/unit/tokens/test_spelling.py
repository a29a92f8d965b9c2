"""Tokens whose spelling tells where they stand do so as the reference does, on any text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.tokens.engines import ReferenceCounter, build_counter
from transformers_ls.tokens.spelling import byte_spans
from transformers_ls.tokens.tokenizers import prepare

SPELLED = ("llama-3.1", "qwen3")
WORDS = [
    "a",
    " the",
    "\n\n",
    "  ",
    "\u00e9",
    "e\u0301",
    "\u4e2d\u6587",
    "\U0001f642",
    "\u200b",
    "\x00",
]
ODD = ["\ufffd", "\ufb01", "\u0120", "\u2581", "\ud800", "def f(x_1):\r\n", "12345"]
CONTROL = ["<|im_end|>", "<think>", "<|eot_id|>", "<|begin_of_text|>"]
PIECES = st.sampled_from([*WORDS, *ODD, *CONTROL])
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)


@pytest.fixture(scope="module", params=SPELLED)
def counters(request):
    pipeline = prepare(tokenizer_folder(request.param))
    assert pipeline.spells_bytes
    return build_counter(pipeline), ReferenceCounter(pipeline)


def test_a_token_stands_for_all_of_a_character_that_it_has_a_part_of():
    assert byte_spans("", []) == []
    assert byte_spans("ab", [b"a", b"b"]) == [(0, 1), (1, 2)]
    assert byte_spans("aé中", [b"a\xc3", b"\xa9", b"\xe4\xb8\xad"]) == [(0, 2), (1, 2), (2, 3)]
    assert byte_spans("ab", [b"a"]) is None
    assert byte_spans("ab", [b"a", b"", b"b"]) is None


def test_offsets_and_pieces_are_those_of_the_reference(counters):
    fast, reference = counters

    # The reference is loaded in the first one.
    @settings(deadline=None)
    @given(TEXTS, st.integers(0, 40), st.integers(0, 40), st.none() | st.integers(1, 5))
    def same(text, start, size, most):
        assert fast.encode(text) == reference.encode(text)
        expected = reference.pieces(text, start, start + size, most)
        assert fast.pieces(text, start, start + size, most) == expected

    same()


def test_the_reference_is_loaded_only_for_what_a_normalizer_changed():
    pipeline = prepare(tokenizer_folder("qwen3"))
    counter = build_counter(pipeline)
    assert [piece.token for piece in counter.pieces("Caf\u00e9 <|im_end|>")][-1] == "<|im_end|>"
    assert counter.encode("Caf\u00e9").offsets[-1] == (3, 4)
    assert "_reference" not in vars(counter)
    # Qwen composes it: what a token stands for is not its own bytes any more.
    assert counter.pieces("Cafe\u0301") == ReferenceCounter(pipeline).pieces("Cafe\u0301")
    assert "_reference" in vars(counter)

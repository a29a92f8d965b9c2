"""Cutting a text into sentences loses nothing and leaves what is not prose alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.tasks.pieces import sentences


@given(st.text(alphabet=st.sampled_from("aB.!? \n\r\t#-*>`~1)。\u2028é"), max_size=60))
def test_the_pieces_are_the_text(text):
    assert "".join(piece.text for piece in sentences(text)) == text


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.50 euros. Fine.", ["It costs 3.50 euros.", "Fine."]),
        ("Use e.g. this one.", ["Use e.g. this one."]),
        ("He said “Go.” Then he left.", ["He said “Go.”", "Then he left."]),
        ("# A title\n\n- one item\n- another", ["A title", "one item", "another"]),
        ("> quoted text\n\n1. first", ["quoted text", "first"]),
        ("  indented  \n", ["indented"]),
        ("你好。再见。", ["你好。", "再见。"]),
        ("---\nkey: value\n---\nText.", ["Text."]),
        ("Before.\n```python\nx = 1. Y\n```\nAfter.", ["Before.", "After."]),
        ("~~~\n```\nstill code\n~~~\nText.", ["Text."]),
        ("---\n***\n| - | - |", []),
        ("", []),
        (" \n\n", []),
    ],
)
def test_prose(text, prose):
    assert [piece.text for piece in sentences(text) if piece.is_prose] == prose

"""Literals mean what Python and JSON say they mean."""

from __future__ import annotations

import ast
import json
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from transformers_ls.text.regions.escapes import json_text, python_text

PIECES = [
    "\\", "\\\\", "n", "x", "41", "u", "00e9", "U", "0001F917", "N{BULLET}", "N{}", "N{nope}", "0",
    "7", "'", "a", "d", " ", "\n", "é", "\r\n", "\r", "{", "}", "777", "ffffffff", "{{",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), st.booleans())
def test_python_literals_are_those_of_python(inner: str, raw: bool) -> None:
    source = f'{"r" if raw else ""}"""{inner} """'
    assume(not inner.endswith("\\"))
    text, sure = python_text(inner + " ", raw=raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # `exec` reads line ends as a file does; `literal_eval` strips the source first.
            expected = ast.literal_eval(source)
        except (SyntaxError, ValueError):
            assert not sure
            return
    assert sure
    assert text == expected


@given(st.text())
def test_json_strings_are_those_of_json(text: str) -> None:
    for ascii_only in (True, False):
        assert json_text(json.dumps(text, ensure_ascii=ascii_only)) == (text, True)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('"ab', "ab"),
        ('"a\\n\\q"', "a\n\\q"),
        ('"\\u00e9\\u00"', "é\\u00"),
        ('"', ""),
    ],
)
def test_half_typed_json_strings_are_read_as_far_as_they_go(literal: str, text: str) -> None:
    assert json_text(literal) == (text, False)


def test_a_raw_line_break_in_a_json_string_is_kept() -> None:
    assert json_text('"a\nb"') == ("a\nb", True)

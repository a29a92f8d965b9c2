"""The messages of a key, read without lsprotocol's converter: the same values, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import converters, types

from transformers_ls.lsp.typing_messages import read_params

CONVERTER = converters.get_converter()
TYPES: dict[str, Any] = {
    types.TEXT_DOCUMENT_DID_CHANGE: types.DidChangeTextDocumentParams,
    types.TEXT_DOCUMENT_HOVER: types.HoverParams,
}
ODD: Any = st.sampled_from([None, True, -1, 1.5, "1", [], {}, "x", 2**31, [{}], {"line": 0}])
NUMBERS = st.integers(0, 2**31 - 1) | ODD
TEXTS = st.sampled_from(["", "a", "é\n", "\ud800"]) | ODD
POSITIONS = st.fixed_dictionaries({"line": NUMBERS, "character": NUMBERS}) | ODD
RANGES = st.fixed_dictionaries({"start": POSITIONS, "end": POSITIONS}) | ODD
CHANGES = (
    st.fixed_dictionaries({"text": TEXTS}, optional={"range": RANGES, "rangeLength": NUMBERS}) | ODD
)
PARAMS = st.fixed_dictionaries(
    {"textDocument": st.fixed_dictionaries({"uri": TEXTS}, optional={"version": NUMBERS}) | ODD},
    optional={
        "position": POSITIONS,
        "contentChanges": st.lists(CHANGES, max_size=3) | ODD,
        "workDoneToken": st.integers() | ODD,
        "more": ODD,
    },
)


def place(line: int, character: int) -> dict[str, int]:
    return {"line": line, "character": character}


CHANGED = {
    "textDocument": {"uri": "file:///a", "version": 3},
    "contentChanges": [
        {"range": {"start": place(1, 2), "end": place(3, 4)}, "text": "é\n"},
        {"range": {"start": place(0, 0), "end": place(0, 1)}, "text": "", "rangeLength": 1},
    ],
}
HOVERED = {"textDocument": {"uri": "file:///a"}, "position": place(5, 6)}


@pytest.mark.parametrize(
    ("method", "params"),
    [(types.TEXT_DOCUMENT_DID_CHANGE, CHANGED), (types.TEXT_DOCUMENT_HOVER, HOVERED)],
)
def test_what_editors_send_is_read_as_the_converter_does(method: str, params: Any) -> None:
    assert read_params(method, params) == CONVERTER.structure(params, TYPES[method])


@settings(max_examples=2_000, deadline=None)
@given(st.sampled_from([*TYPES]), PARAMS)
def test_whatever_is_read_the_converter_reads_so_too(method: str, params: Any) -> None:
    before = json.dumps(params)
    read = read_params(method, params)
    assert json.dumps(params) == before
    if read is not None:
        assert read == CONVERTER.structure(params, TYPES[method])


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (types.TEXT_DOCUMENT_HOVER, {**HOVERED, "workDoneToken": 1}),
        (types.TEXT_DOCUMENT_HOVER, CHANGED),
        (types.TEXT_DOCUMENT_HOVER, None),
        (types.TEXT_DOCUMENT_DEFINITION, HOVERED),
        (types.TEXT_DOCUMENT_DID_CHANGE, {**CHANGED, "contentChanges": [{"text": "all"}]}),
        (None, HOVERED),
        ([], HOVERED),
    ],
)
def test_all_else_is_left_to_the_converter(method: Any, params: Any) -> None:
    assert read_params(method, params) is None

"""Long JSON is read bit by bit as `json` reads it at once."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transformers_ls.text.long_json import filled, read_in_pieces, read_json

PIECES = st.sampled_from(
    [
        "a",
        "\\",
        '"',
        "\n",
        "é",
        "中",
        "🙂",
        "\ud83d",
        "\ude42",
        "\\u",
        "dc00",
        "\0",
        "u0041",
        "\u2028",
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
VALUES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(VALUES, st.booleans(), st.integers(1, 40))
@example({"text": "\\" * 99, "more": ["🙂" * 40, '"' * 40]}, True, 7)
def test_it_is_what_json_reads(value, escaped, size):
    body = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert read_json(body, size) == json.loads(body)
    shortened, strings = read_in_pieces(body, size)
    assert all(len(piece) <= size + 12 for pieces in strings.values() for piece in pieces)
    assert filled(shortened, strings) == json.loads(body)


@given(st.lists(st.sampled_from([*'"\\u0dc{}[]:,aé']), max_size=40).map("".join))
def test_what_is_no_json_is_refused_or_read_alike(text):
    body = text.encode()
    try:
        expected = json.loads(body)
    except ValueError:
        with pytest.raises(ValueError, match=r".*"):
            read_json(body, 3)
    else:
        assert read_json(body, 3) == expected


@pytest.mark.parametrize("cut", [1, 100, 5000, 99_999])
def test_what_is_cut_off_is_refused(cut):
    body = json.dumps({"text": "x\n" * 50_000}).encode()
    with pytest.raises(ValueError, match=r".*"):
        read_json(body[:-cut])

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.jsontree import read_json
from transformers_ls.text.located import MAX_DEPTH

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 0, 2, "\t"]))
def test_whole_json_reads_as_json_loads_does_and_every_span_reads_alone(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    (root,), broken = read_json(text)
    assert not broken
    assert root.value == json.loads(text)
    pending = [root]
    while pending:
        node = pending.pop()
        assert json.loads(text[node.start : node.end]) == node.value
        pending += [*node.items, *node.fields.values()]


@given(VALUES, st.data())
def test_any_cut_of_a_text_is_read(value, data):
    text = json.dumps(value, indent=1)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for root in read_json(text[start:end])[0]:
        assert 0 <= root.start < root.end <= end - start


@given(st.text(alphabet='{}[]",:\\u1e.-trufalsn/* \n\t\u2028\ud800', max_size=60))
def test_any_text_is_read(text):
    roots, broken = read_json(text)
    with contextlib.suppress(ValueError):
        assert [json.loads(text)] == [root.value for root in roots] or broken


@pytest.mark.parametrize(
    "text", ["1", "-0", "0.5", "1e3", "-1.5E-3", "123456789012345678901234567890"]
)
def test_numbers(text):
    (root,), broken = read_json(text)
    assert not broken
    assert root.value == json.loads(text)
    assert type(root.value) is type(json.loads(text))


def test_the_constants_that_python_adds():
    (root,), _ = read_json("[NaN, Infinity, -Infinity]")
    assert math.isnan(root.value[0])
    assert root.value[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [1, 2', {"a": 1, "b": [1, 2]}),
        ('{"a": "half', {"a": "half"}),
        ('{"a": "half\n, "b": 2}', {"a": "half", "b": 2}),
        ('{"a": "half \\', {"a": "half "}),
        ('{"a": "half \\u00e', {"a": "half "}),
        ('{"a": "tab\there"}', {"a": "tab\there"}),
        ('{"a": "bad \\x escape"}', {"a": "bad \\x escape"}),
        ('{"a": , "b": 2}', {"b": 2}),
        ('{"a", "b": 2}', {"b": 2}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('[{"a": 1 {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ('[{"a": 1, {"b": 2}]', [{"a": 1}, {"b": 2}]),
        ("[1, 2,]", [1, 2]),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ("[1, nonsense, 2]", [1, 2]),
        ('// a comment\n{"a": /* one */ 1}', {"a": 1}),
        ("/* never closed [1]", None),
        ("]}", None),
        ("", None),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("1" * 5000, None),
    ],
)
def test_half_typed(text, value):
    roots, _ = read_json(text)
    assert [root.value for root in roots] == ([] if value is None else [value])


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 300 + "]" * 300])
def test_deep_nesting_is_left_unread(text):
    roots, broken = read_json(text)
    assert broken
    depth, node = 0, roots[0]
    while node.items or node.fields:
        depth, node = depth + 1, next(iter([*node.items, *node.fields.values()]))
    assert depth < MAX_DEPTH


def test_values_of_many_lines():
    roots, broken = read_json('{"a": 1}\n{"a": 2}\n')
    assert [root.value for root in roots] == [{"a": 1}, {"a": 2}]
    assert not broken

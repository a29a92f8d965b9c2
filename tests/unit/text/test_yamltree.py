"""YAML with places: bombs, depth, errors, and values as a loader has them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.located import MAX_DEPTH, Node
from transformers_ls.text.yamltree import read_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
LINES = st.lists(st.text("ab \t", max_size=6), max_size=6)


def value(text: str) -> Any:
    (root,), broken = read_yaml(text)
    assert not broken
    return root.value


@given(VALUES, st.booleans() | st.none(), st.sampled_from([20, 80]))
def test_values_are_those_of_the_loader(given_: Any, flow: bool | None, width: int) -> None:
    text = yaml.dump(given_, default_flow_style=flow, width=width, allow_unicode=True)
    assert value(text) == yaml.safe_load(text)


@given(LINES, st.sampled_from("|>"), st.sampled_from(["", "-", "+"]), st.integers(0, 3))
def test_blocks_are_folded_and_chomped(
    lines: list[str], style: str, chomping: str, blank: int
) -> None:
    body = "".join(f"   {line}\n" for line in ["a", *lines])
    text = f"x: {style}{chomping}\n{body}{chr(10) * blank}y: 1\n"
    loaded = yaml.safe_load(text)
    (root,), _ = read_yaml(text)
    assert root.value == loaded
    place = root.fields["x"]
    source = text[place.start : place.end]
    assert source.startswith(style)
    assert source.rstrip("\n") == source
    assert yaml.safe_load(f"x: {source}\n")["x"].strip() == loaded["x"].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-01", "2020-01-01"),
        ("!!str 12", "12"),
        ("!secret x", "x"),
        ("!!int x", "x"),
        ("0x1F", 31),
        ("on", True),
        ("~", None),
        ("1: a", {"1": "a"}),
        ("? [a]\n: b", {"": "b"}),
        ("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}", {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}),
        ("- &x [1]\n- *x", [[1], [1]]),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_what_json_has_no_word_for(text: str, expected: Any) -> None:
    assert value(text) == expected


def test_places_after_a_byte_order_mark() -> None:
    (root,), _ = read_yaml("\ufeffa: bc")
    assert (root.fields["a"].start, root.fields["a"].end) == (4, 6)


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (root,), broken = read_yaml("\n".join(lines))
    assert broken

    def size(node: Node) -> int:
        return 1 + sum(size(child) for child in [*node.items, *node.fields.values()])

    assert size(root) < 500_000


def test_an_alias_of_what_it_stands_in_means_nothing() -> None:
    (root,), broken = read_yaml("a: &x [1, *x, *y]")
    assert broken
    assert root.value == {"a": [1, None, None]}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth(opening: str) -> None:
    (root,), broken = read_yaml(opening * 5_000)
    assert broken
    depth = 0
    pending = [(root, 1)]
    while pending:
        node, level = pending.pop()
        depth = max(depth, level)
        pending += [(child, level + 1) for child in [*node.items, *node.fields.values()]]
    assert depth <= MAX_DEPTH + 2


def test_a_file_full_of_templates_is_read_as_far_as_it_is_yaml() -> None:
    text = "a: 1\n" + "{{- if x }}\nb: {{ y }} z\n" * 2_000
    (root, *_), broken = read_yaml(text)
    assert broken
    assert root.value["a"] == 1

"""Each character of a region's text is found in the source, escapes or not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.alignment import Alignment, align
from transformers_ls.text.regions import Region, find_regions
from transformers_ls.text.snapshot import Snapshot


def _align(language: str, source: str, kind: str) -> tuple[Region, Alignment | None]:
    snapshot = Snapshot.of(source)
    region = next(region for region in find_regions(language, snapshot) if region.kind == kind)
    return region, align(snapshot, region, language)


@given(st.text(min_size=1), st.booleans())
def test_json_messages(content: str, ascii_only: bool) -> None:
    chat = [{"role": "user", "content": content, "name": "user"}]
    source = json.dumps(chat, ensure_ascii=ascii_only)
    region, aligned = _align("json", source, "message")
    assert region.text == content
    assert aligned is not None
    start = source.index('"content": "') + len('"content": "')
    for index, char in enumerate(content):
        place = aligned.to_source(index)
        assert place == start
        assert aligned.to_text(place) == index
        start += len(json.dumps(char, ensure_ascii=ascii_only)) - 2
    assert aligned.to_source(len(content)) == start
    assert aligned.to_text(start) is None
    assert aligned.to_text(0) is None


@pytest.mark.parametrize(
    ("source", "char", "place"),
    [
        ('x = "caf\\u00e9 now"', "é", "\\u00e9"),
        ("x = r'a\\nb end'", "b", "b"),
        ('x = "one " "two"', "t", 'two"'),
        ('x = ("one "\n     "tw\\x6f!")', "!", "!"),
        ('x = """a\r\nb"""', "b", 'b"""'),
        ("def f():\n    'It is\\ta test.'", "a", "a test"),
    ],
)
def test_python_strings(source: str, char: str, place: str) -> None:
    kind = "docstring" if "def" in source else "string"
    region, aligned = _align("python", source, kind)
    assert aligned is not None
    at = aligned.to_source(region.text.rindex(char))
    assert source[at:].startswith(place)
    assert aligned.to_text(at) == region.text.rindex(char)


@pytest.mark.parametrize("kind", ["section", "fence", "front-matter"])
def test_markdown(kind: str) -> None:
    source = "---\ntitle: x\n---\n# One\n\ntext text\n\n```py\nprint(1)\n```\n"
    region, aligned = _align("markdown", source, kind)
    assert aligned is not None
    for index, char in enumerate(region.text):
        assert source[aligned.to_source(index)] == char


@pytest.mark.parametrize(
    ("language", "source", "kind"),
    [
        ("python", 'x = f"Hello {name}, how are you"', "string"),
        ("markdown", "- a list\n\n  ```py\n  one\n  two\n  ```\n", "fence"),
        (
            "json",
            '[{"role": "user", "content": [{"text": "a"}, {"type": "x", "text": "b"}]}]',
            "message",
        ),
    ],
)
def test_what_cannot_be_told_is_not_guessed(language: str, source: str, kind: str) -> None:
    assert _align(language, source, kind)[1] is None

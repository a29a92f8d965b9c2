"""Regions of each language: what they cover, what the model gets, and where the hint goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformers_ls.text.regions import Region, find_regions, region_at
from transformers_ls.text.snapshot import Snapshot


def find(language: str, text: str) -> list[Region]:
    regions = find_regions(language, Snapshot.of(text))
    for region in regions:
        assert 0 <= region.start < region.end <= len(text)
        assert region.start <= region.anchor <= len(text)
    assert regions == sorted(regions, key=lambda region: (region.start, -region.end))
    return regions


def rows(language: str, text: str) -> list[tuple[Any, ...]]:
    return [(region.kind, region.label, region.text) for region in find(language, text)]


MARKDOWN = """\
---
title: Ünïcödé
---

# Títle #

hi é 🤗

```python title="x"
x = 1

```

## Sub
- item
  ~~~
  in
   list
  ~~~

> # quoted
> ```js
> q
> ```

# Next
end
"""


def test_markdown() -> None:
    found = rows("markdown", MARKDOWN)
    assert [row[:2] for row in found] == [
        ("front-matter", "front matter"),
        ("section", "Títle"),
        ("fence", "python"),
        ("section", "Sub"),
        ("fence", "code"),
        ("fence", "js"),
        ("section", "Next"),
    ]
    texts = [row[2] for row in found]
    assert texts[0] == "title: Ünïcödé"
    assert texts[1] == MARKDOWN[MARKDOWN.index("# T") : MARKDOWN.index("\n\n# Next")]
    assert texts[2] == "x = 1\n"
    assert texts[3].startswith("## Sub\n- item")
    assert texts[4:] == ["in\n list", "q", "# Next\nend"]


def test_markdown_anchors_are_at_the_ends_of_first_lines() -> None:
    for region in find("markdown", MARKDOWN):
        first = MARKDOWN[region.start : region.anchor]
        assert "\n" not in first
        assert MARKDOWN[region.anchor] == "\n"


def test_setext_headings_and_toml_front_matter() -> None:
    text = "+++\na = 1\n+++\n\nTop\n===\n\none\n\nSub\n---\ntwo\n\nTop 2\n===\nthree"
    assert rows("markdown", text) == [
        ("front-matter", "front matter", "a = 1"),
        ("section", "Top", "Top\n===\n\none\n\nSub\n---\ntwo"),
        ("section", "Sub", "Sub\n---\ntwo"),
        ("section", "Top 2", "Top 2\n===\nthree"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\n", [("fence", "code", "")]),
        ("```", [("fence", "code", "")]),
        ("```py\nx", [("fence", "py", "x")]),
        ("```\r\na\r\nb\r\n```", [("fence", "code", "a\r\nb")]),
        ("#", [("section", "", "#")]),
        ("# a\r\n\r\nb\r\n", [("section", "a", "# a\r\n\r\nb")]),
        ("#hash\n", []),
        ("", []),
        ("\ud800 # x\n# \udfff y\n", [("section", "\udfff y", "# \udfff y")]),
    ],
)
def test_odd_markdown(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert rows("markdown", text) == expected


PYTHON = '''\
"""Module é."""
PROMPT = """You are
  a \\"bot\\"."""
BOTH = ("one " "two\\n"  # why
        'three')
f(system=f"Hi {name}, {{ok}} 🤗", raw=r"\\d", data=b"bytes", more="a" b"b")


class A:
    """Class."""

    async def f(self, sep="; "):
        # First.
        "Method."
        "not a docstring"
        return {"key é": dedent("""value""")}
'''


def test_python() -> None:
    assert rows("python", PYTHON) == [
        ("docstring", "module", "Module é."),
        ("string", "PROMPT", 'You are\n  a "bot".'),
        ("string", "BOTH", "one two\nthree"),
        ("string", "system", "Hi , {ok} 🤗"),
        ("string", "raw", "\\d"),
        ("docstring", "A", "Class."),
        ("string", "sep", "; "),
        ("docstring", "f", "Method."),
        ("string", "", "not a docstring"),
        ("string", "", "key é"),
        ("string", "key é", "value"),
    ]


def test_python_strings_span_their_quotes() -> None:
    for region in find("python", PYTHON):
        source = PYTHON[region.start : region.end]
        assert source[-1] in "\"'"
        assert region.anchor == region.end


def test_only_strings_with_expressions_are_inexact() -> None:
    exact = {region.label: region.exact for region in find("python", PYTHON)}
    assert [label for label, sure in exact.items() if not sure] == ["system"]
    [region] = find("python", 'x = f"all {{literal}}"')
    assert (region.text, region.exact) == ("all {literal}", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('x = "abc\ny = "d"\n', ["d"]),
        ('x = """abc', []),
        ("def f(:\n  'a'\nx = ['b', ", ["a", "b"]),
        ('x = "\\u12"', ["\\u12"]),
        ("f'{x", []),
        ("''", [""]),
    ],
)
def test_half_typed_python(text: str, expected: list[str]) -> None:
    assert [region.text for region in find("python", text)] == expected


CHAT = {
    "messages": [
        {"role": "system", "content": 'Bé "brief".\n'},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
    ],
    "prompt": "Some long text 🤗",
    "id": "abc-123",
    "nested": {"deep": {"note": "not a row's field"}},
}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_chat(ascii_only: bool) -> None:
    text = json.dumps(CHAT, ensure_ascii=ascii_only, indent=1)
    regions = find("json", text)
    assert [(r.kind, r.label, r.text, r.exact) for r in regions] == [
        ("message", "system", 'Bé "brief".\n', True),
        ("message", "user", "ab", True),
        ("message", "user", "see", False),
        ("string", "prompt", "Some long text 🤗", True),
    ]
    system = regions[0]
    assert json.loads(text[system.start : system.end]) == CHAT["messages"][0]
    assert text[: system.anchor].endswith('.\\n"')


def test_sharegpt_and_bare_lists() -> None:
    text = '[{"from": "human", "value": "Hi"}, {"role": "user", "content": "Ho"}]'
    assert rows("jsonc", text) == [("message", "human", "Hi"), ("message", "user", "Ho")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"messages": [{"role": "user", "content": "hi"}, {"role": ', ["hi"]),
        ('[{"role": "user", "content": "a"} {"role": "user", "content": "b"}', ["a", "b"]),
        ('// why\n[{"role": "user", /* x */ "content": "a",},]', ["a"]),
        ('{"role": "user", "content": "a\\q"}', ["a\\q"]),
        ("[" * 50_000, []),
        ('{"a":' * 50_000, []),
        ("", []),
    ],
    ids=range(7),
)
def test_half_typed_json(text: str, expected: list[str]) -> None:
    assert [region.text for region in find("json", text)] == expected


def test_json_lines_stand_alone() -> None:
    lines = ['{"text": "a b"}', "{broken", "", '{"role": "u", "content": "x\u2028y"}', '"c d"']
    for end in ("\n", "\r\n", "\r"):
        text = end.join(lines)
        regions = find("jsonl", text)
        assert [(r.kind, r.label, r.text) for r in regions] == [
            ("string", "text", "a b"),
            ("message", "u", "x\u2028y"),
        ]
        message = regions[1]
        assert text[message.start : message.end] == lines[3]


def test_paragraphs() -> None:
    text = "A paragraph of\ntwo lines.\n\nshort\n \t\n  indented but long enough\r\n\r\n"
    assert rows("plaintext", text) == [
        ("paragraph", "A paragraph of", "A paragraph of\ntwo lines."),
        ("paragraph", "indented but long enough", "  indented but long enough"),
    ]
    assert rows("plaintext", "just one line of text") == [
        ("paragraph", "just one line of text", "just one line of text")
    ]
    assert rows("plaintext", " " * 200_000 + "\n" * 1000) == []


def test_a_template_is_one_region() -> None:
    assert rows("jinja", "{{ x }}\n") == [("document", "template", "{{ x }}\n")]
    assert rows("jinja", " \n") == []


def test_the_innermost_region_is_found() -> None:
    regions = find("markdown", MARKDOWN)

    def label(needle: str) -> str | None:
        region = region_at(regions, MARKDOWN.index(needle))
        return region and region.label

    assert label("title:") == "front matter"
    assert label("hi é") == "Títle"
    assert label("x = 1") == "python"
    assert label("- item") == "Sub"
    assert label("end") == "Next"
    assert region_at(regions, len(MARKDOWN.rstrip())).label == "Next"
    assert region_at(regions, len(MARKDOWN) + 5) is None
    assert region_at([], 0) is None


FRAGMENTS = [
    "# ", "```", "\n", "\r\n", "    ", "> ", "- ", '"', "'", '"""', "f'", "{", "}", "[", "]", ":", ",",
    "role", "content", '"role": "user"', '"content": "é"', "\\", "\\u00", "def f():", "a b", "🤗",
    "\ud800", "---", "+++", "\u2028", "//", "b'",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["markdown", "python", "json", "jsonl", "plaintext", "jinja", "unknown"]),
    st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join),
)
def test_no_text_breaks_the_search(language: str, text: str) -> None:
    find(language, text)

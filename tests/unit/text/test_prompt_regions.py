"""Regions of YAML, TOML, Jinja, notebooks, prompt files and chats in Python."""

from __future__ import annotations

import ast
import json
import tomllib
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.regions import Region, find_regions
from transformers_ls.text.regions.jinja import _parts
from transformers_ls.text.snapshot import Snapshot


def find(language: str, text: str) -> list[Region]:
    regions = find_regions(language, Snapshot.of(text))
    for region in regions:
        assert 0 <= region.start < region.end <= len(text)
        assert region.start <= region.anchor <= region.end
    assert regions == sorted(regions, key=lambda region: (region.start, -region.end))
    return regions


def rows(language: str, text: str) -> list[tuple[Any, ...]]:
    return [(region.kind, region.label, region.text) for region in find(language, text)]


# --- YAML

YAML = """\
name: short
description: A sentence, long enough to be read.
prompts:
  system: |
    You are é 😀.

    Be brief.
  user: >-
    Folded
    text.
  list:
    - "An item that is\\tlong enough \\u00e9"
    - tiny
copy: &c {role: user, content: [{type: text, text: Look.}, {type: image, url: x}]}
again: *c
command: run-this-program-with-a-long-name
"""


def test_yaml() -> None:
    loaded = yaml.safe_load(YAML)
    assert rows("yaml", YAML) == [
        ("value", "description", loaded["description"]),
        ("value", "system", loaded["prompts"]["system"]),
        ("value", "user", loaded["prompts"]["user"]),
        ("value", "list", loaded["prompts"]["list"][0]),
        ("message", "user", "Look."),
    ]
    regions = find("yaml", YAML)
    assert YAML[: regions[1].anchor].endswith("Be brief.")
    assert [region.exact for region in regions] == [True, True, True, True, False]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.sampled_from([None, '"', "|"]))
def test_long_strings_of_yaml_are_all_there(texts: list[str], style: str | None) -> None:
    texts = [text + " and some more words" for text in texts]
    text = yaml.dump({"a": texts}, default_style=style, allow_unicode=True)
    assert [row[2] for row in rows("yaml", text)] == yaml.safe_load(text)["a"]


# --- TOML

TOML = '''\
name = "short" # "a comment that is long enough to count"
"quoted key with many words in it" = "A sentence long enough\\tto be \\u00e9."
[prompts."a table with many words in its name"]
system = """
Be \\
   brief. ""quoted"" 😀
"""
literal = \'\'\'
C:\\path
\'\'\'
list = [
  "first sentence, long enough to count", # no
  'second sentence, long enough to count',
]
inline = { "key with many words inside of it" = "value with many words inside of it", b = 1 }
point.one = "third sentence, long enough to count"
path = "a/long/path/without/any/space/at/all"
'''


def test_toml() -> None:
    loaded = tomllib.loads(TOML)
    table = loaded["prompts"]["a table with many words in its name"]
    assert rows("toml", TOML) == [
        ("value", "quoted key with many words in it", "A sentence long enough\tto be é."),
        ("value", "system", table["system"]),
        ("value", "literal", table["literal"]),
        ("value", "list", table["list"][0]),
        ("value", "list", table["list"][1]),
        ("value", "key with many words inside of it", "value with many words inside of it"),
        ("value", "one", table["point"]["one"]),
    ]
    for region in find("toml", TOML):
        assert tomllib.loads(f"x = {TOML[region.start : region.end]}") == {"x": region.text}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1, max_size=4))
def test_every_form_of_a_toml_string(texts: list[str]) -> None:
    texts = [text + " and some more words" for text in texts]
    lines = []
    for text in texts:
        quoted = json.dumps(text, ensure_ascii=False)
        lines += [f"a = {quoted}", f"b = [1, {quoted}, {{c = {quoted}}}]", f'd = ""{quoted}""']
    source = "\n".join(lines)
    assert [row[2] for row in rows("toml", source)] == [text for text in texts for _ in range(4)]


def test_half_typed_toml() -> None:
    text = (
        'a = "an unclosed string of many words\nb = "a closed string of many words"\nc = """\nx y'
    )
    assert [(region.label, region.exact) for region in find("toml", text)] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]


# --- Jinja

JINJA = """\
{# A long comment that says what this is for, longer than any title would ever be. #}
{# --- Rules --- #}
Be brief and to the point.
{% macro greet(name) -%}
  Hello {{ name }}, how are you today?
{%- endmacro %}
{# Task #}
{% if task %}
Do this now, please: {{ task["%}"] | upper }}!
{% endif %}
{% set answer %}Nothing but text stands in here.{% endset %}
{% raw %}{{ left as it is, all of it }}{% endraw %}
"""


def test_jinja() -> None:
    found = {(r.kind, r.label): (r.text, r.exact) for r in find("jinja", JINJA)}
    assert found["document", "template"] == (JINJA, False)
    assert found["section", "Rules"][0].startswith("\nBe brief and to the point.\n")
    assert found["block", "macro greet"] == ("Hello , how are you today?", False)
    assert found["block", "set answer"] == ("Nothing but text stands in here.", True)
    assert found["block", "Be brief and to the point."] == ("Be brief and to the point.", True)
    assert found["block", "Do this now, please: !"] == ("Do this now, please: !", False)
    assert found["block", "{{ left as it is, all of it }}"][1]
    assert "Do this now" not in found["section", "Rules"][0]
    assert "Do this now" in found["section", "Task"][0]


def test_a_pile_of_jinja_blocks() -> None:
    deep = "{% block a %}" * 3_000 + "text" + "{% endblock %}" * 3_000
    wrong = "{% if x %}" * 20_000 + "{% endfor %}" * 20_000
    assert len(find("jinja", deep)) < 50
    assert len(find("jinja", wrong)) == 1


def test_a_jinja_text_without_tags_is_one_prompt() -> None:
    (region,) = find("jinja", "Just a text that is long enough.\n")
    assert (region.kind, region.exact) == ("document", True)


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b c",
                " ",
                "{# x #}",
                "{#- x -#}",
                "{% raw %}",
                "{%- raw -%}",
                "{% endraw %}",
                "{%- endraw -%}",
                "'",
                '"',
                "}",
                "{",
                "{{\n            ",
                "{#-",
                "-#}",
                "{% set x = 1 -%}",
            ]
        ),
        max_size=12,
    )
)
def test_what_jinja_takes_for_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    find("jinja", text)
    try:
        rendered = jinja2.Environment(keep_trailing_newline=True).from_string(text).render()
    except jinja2.TemplateSyntaxError:
        return
    if all(part.kind != "expression" for part in _parts(text)):
        assert "".join(part.text for part in _parts(text)) == rendered


# --- Notebooks


def test_notebooks() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Títle\n", "text 😀"]},
        {"cell_type": "code", "source": 'm = [{"role": "user", "content": "a\\n"}]', "outputs": []},
        {"cell_type": "code", "source": []},
        {"cell_type": "raw", "source": "x"},
    ]
    text = json.dumps({"cells": cells, "metadata": {}}, indent=1)
    assert rows("ipynb", text) == [
        ("cell", "markdown 1", "# Títle\ntext 😀"),
        ("cell", "code 2", 'm = [{"role": "user", "content": "a\\n"}]'),
        ("message", "user", "a\n"),
        ("cell", "raw 4", "x"),
    ]
    markdown, code, message, _ = find("ipynb", text)
    assert json.loads(text[markdown.start : markdown.end]) == cells[0]["source"]
    assert text[markdown.anchor - 1] == '"'
    assert text[code.anchor - 1] == '"'
    source = json.loads(f'"{text[message.start : message.end]}"')
    assert ast.literal_eval(source) == {"role": "user", "content": "a\n"}


# --- Prompt files and Python


def test_prompt_files() -> None:
    text = "---\nname: x\n---\nsystem:\nBe brief.\n\nuser:\n{{question}}\n"
    assert rows("prompty", text) == [
        ("front-matter", "front matter", "name: x"),
        ("message", "system", "Be brief."),
        ("message", "user", "{{question}}"),
    ]
    assert [region.exact for region in find("prompty", text)] == [True, True, False]
    assert rows("prompty", "Be brief.") == [("message", "system", "Be brief.")]


def test_chats_in_python() -> None:
    text = """\
m = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": f"Hi {name}"},
    {"role": "user", "content": text, "name": "Ada L"},
    {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image"}]},
]
"""
    found = rows("python", text)
    assert [row for row in found if row[0] == "message"] == [
        ("message", "system", "Be brief."),
        ("message", "user", "Hi {name}"),
        ("message", "user", "Look."),
    ]
    # A message whose text stands elsewhere is none here; its strings are strings.
    assert ("string", "name", "Ada L") in found
    assert not any(text == "Be brief." for kind, _, text in found if kind == "string")
    assert [region.exact for region in find("python", text) if region.kind == "message"] == [
        True,
        False,
        False,
    ]


# --- All of them

SAMPLES = {
    "yaml": YAML,
    "toml": TOML,
    "jinja": JINJA,
    "prompty": "---\nname: x\n---\nsystem:\nBe brief.\n\nuser:\n{{question}}\n",
    "ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["a\n", "b"]}]}, indent=1),
    "python": 'm = [{"role": "user", "content": "a" + b}, {"role": "x", "content": ("c")}]\n',
}


@pytest.mark.parametrize("language", SAMPLES)
@given(data=st.data())
def test_any_cut_of_a_text(language: str, data: st.DataObject) -> None:
    text = SAMPLES[language]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    noise = data.draw(st.text("\"'{}[]#%-|>:=\n\\ \ud800\x00", max_size=8))
    find(language, text[start:end] + noise)
    find(language, text[:start] + noise + text[end:])

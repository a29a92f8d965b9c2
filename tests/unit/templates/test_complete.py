"""Completions and hovers know the names, types and words of a template, half-typed ones too."""

from __future__ import annotations

import random

import pytest

from tests.support.templates import real_templates
from transformers_ls.errors import TransformersLsError
from transformers_ls.templates import jinja_builtins
from transformers_ls.templates.complete import Completions, complete
from transformers_ls.templates.describe import definition, describe

LOOP = "{% for message in messages %}"


def at(source: str) -> Completions | None:
    """Complete at the mark."""
    offset = source.index("§")
    return complete(source.replace("§", ""), offset, {"bos_token": "<s>"})


def labels(source: str) -> list[str]:
    found = at(source)
    return [] if found is None else [item.label for item in found.items]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (LOOP + "{{ message.§", ["role", "content", "tool_calls", "reasoning_content"]),
        (LOOP + "{{ message['§", ["role", "content"]),
        (LOOP + '{{ message["con§"] }}{% endfor %}', ["role", "content"]),
        (LOOP + "{{ loop.§", ["first", "last", "index0"]),
        ("{{ messages[0].§ }}", ["role"]),
        ("{{ (messages | last).§", ["role"]),
        ("{% set last = messages[-1] %}{{ last.§", ["role"]),
        (LOOP + "{% for call in message.tool_calls %}{{ call.function.§", ["name", "arguments"]),
        ("{% for m in messages[1:] %}{% for p in m['content'] %}{{ p.§", ["type", "text", "image"]),
        (
            "{% for k, v in tools[0].function.parameters.properties.items() %}{{ v.§",
            ["type", "description"],
        ),
        ("{% set ns = namespace(seen=false) %}{{ ns.§", ["seen"]),
        ("{% set ns = namespace() %}{% set ns.late = 1 %}{% set ns.§", ["late"]),
        (LOOP + "{% if message.role == '§", ["system", "user", "assistant", "tool"]),
        (LOOP + "{% if message['role'] in ['user', \"§", ["system"]),
        ("{{ messages | §", ["tojson", "length", "selectattr"]),
        ("{% filter §", ["trim"]),
        ("{% if tools is §", ["defined", "none", "mapping"]),
        ("{% if tools is not de§", ["defined"]),
        ("{% §", ["for", "if", "set", "macro", "generation"]),
        ("{% if a %}\n{%- §", ["endif", "elif", "else"]),
        (LOOP + "{% if a %}{% endif %}{%- end§", ["endfor", "break", "continue"]),
        ("{{ §", ["messages", "add_generation_prompt", "tools", "bos_token", "enable_thinking"]),
        ("{{ raise_§", ["raise_exception", "strftime_now", "namespace"]),
        ("{% macro show(part, last=false) %}{{ §", ["part", "last", "show", "messages"]),
        ("{{ messages §", ["and", "is", "if"]),
        ("{{ a\n{{ b }} {% for x in y %} {{ §", ["x", "messages"]),
    ],
)
def test_what_fits_is_proposed(source, wanted):
    assert set(wanted) <= set(labels(source))


@pytest.mark.parametrize(
    ("source", "unwanted"),
    [
        (LOOP + "{% endfor %}{{ §", "message"),
        ("{% macro show(part) %}{% endmacro %}{{ §", "part"),
        ("{{ § }}{% set later = 1 %}", "later"),
        ("{% for message in §", "message"),
        ("{% §", "endif"),
        ("{% §", "break"),
        (LOOP + "{% §", "elif"),
        (LOOP + "{{ message.§", "messages"),
    ],
)
def test_what_does_not_fit_is_not_proposed(source, unwanted):
    assert labels(source)
    assert unwanted not in labels(source)


@pytest.mark.parametrize(
    "source", ["plain §", "{# {{ § #}", "{{ a }} §", "{% raw %}{{ §", "§", "{{ 1.§"]
)
def test_plain_text_has_no_proposals(source):
    assert labels(source) == []


def test_what_is_typed_already_is_replaced():
    assert at("{{ mess§").start == 3
    assert at(LOOP + "{{ message['con§']").start == len(LOOP + "{{ message['")
    assert at("{{ x | to§").start == len("{{ x | ")


def test_special_tokens_show_their_value():
    (item,) = [item for item in at("{{ §").items if item.label == "bos_token"]
    assert item.detail == "'<s>'"


def test_a_block_comes_with_its_end_unless_the_tag_is_closed():
    (item,) = [item for item in at("{%- §").items if item.label == "for"]
    assert item.snippet.endswith("\n{%- endfor %}")
    (item,) = [item for item in at("{%- § %}").items if item.label == "for"]
    assert item.snippet == "for ${1:message} in ${2:messages}"


def test_every_filter_and_test_is_documented():
    for builtin in (*jinja_builtins.filters().values(), *jinja_builtins.tests().values()):
        assert builtin.doc
        assert ":class:" not in builtin.doc
        assert "versionadded" not in builtin.doc


def hover(source: str) -> str | None:
    offset = source.index("§")
    found = describe(source.replace("§", ""), offset, {"bos_token": "<s>"})
    return found.text if found else None


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ mess§ages }}", "list[message]"),
        (LOOP + "{{ mes§sage }}", "loop variable, line 1"),
        (LOOP + "{{ message.con§tent }}", "str | list[part]"),
        (LOOP + "{{ message['ro§le'] }}", "field of a message"),
        (LOOP + "{{ loop.fi§rst }}", "first round"),
        ("{{ bos_tok§en }}", "'<s>'"),
        ("{{ eos_tok§en }}", "not set by this model"),
        ("{{ x | toj§son }}", "ensure_ascii=False"),
        ("{{ x is def§ined }}", "variable is defined"),
        ("{% gener§ation %}", "training"),
        ("{% endgener§ation %}", "training"),
        ("{{ raise_ex§ception('x') }}", "TemplateError"),
        ("{{ enable_th§inking }}", "when the caller passes it"),
        ("{% macro show(a, b=1) %}{% endmacro %}{{ sh§ow(1) }}", "show(a, b=1)"),
        ("{% set to§tal = 1 %}", "int"),
    ],
)
def test_words_are_explained(source, says):
    assert says in hover(source)


@pytest.mark.parametrize("source", ["te§xt", "{{ 'te§xt' }}", "{{ unknow§n }}", "{{ 1§2 }}", "§"])
def test_other_text_is_not_explained(source):
    assert hover(source) is None


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (LOOP + "{{ mes§sage.role }}", LOOP.index("message ")),
        ("{% macro m() %}{% endmacro %}{{ §m() }}", len("{% macro ")),
        ("{% set a = 1 %}{% set a = 2 %}{{ §a }}", len("{% set a = 1 %}{% set ")),
    ],
)
def test_definitions_are_found(source, target):
    found = definition(source.replace("§", ""), source.index("§"))
    assert found is not None
    assert found.start == target


def test_builtins_have_no_definition():
    assert definition("{{ messages }}", 4) is None
    assert definition(LOOP + "{{ message.message }}", len(LOOP) + 12) is None


def test_nothing_that_is_typed_makes_it_fail():
    """Each place of a real template, whole and cut off there."""
    try:
        templates = list(real_templates().values())
    except TransformersLsError as error:
        pytest.skip(str(error))
    chance = random.Random(7)
    for source in chance.sample(templates, 12):
        for _ in range(12):
            offset = chance.randrange(len(source) + 1)
            start = max(0, offset - 2000)
            complete(source[start:offset], offset - start)
            describe(source[start : offset + 500], offset - start)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000,
        "{{ a" + "[" * 5000,
        "{% if a %}" * 3000 + "{{ ",
        "{{ a" + ".b" * 5000 + ".",
    ],
    ids=["brackets", "items", "blocks", "fields"],
)
def test_hostile_text_is_survived(source):
    complete(source, len(source))
    describe(source, 4)

"""Templates are read as transformers reads them, and marked where they are wrong."""

from __future__ import annotations

import random
import re

import jinja2
import pytest
from transformers.utils.chat_template_utils import _compile_jinja_template

from tests.support.templates import real_templates
from transformers_ls.errors import TransformersLsError
from transformers_ls.templates.environment import template_environment
from transformers_ls.templates.lexemes import open_blocks, read_lexemes, read_tags
from transformers_ls.templates.lint import lint
from transformers_ls.templates.syntax import parse


@pytest.fixture(scope="module")
def theirs():
    return _compile_jinja_template("").environment


@pytest.fixture(scope="module")
def templates():
    try:
        return real_templates()
    except TransformersLsError as error:
        pytest.skip(str(error))


def marked(source: str) -> str:
    (problem,) = lint(source)
    assert problem.code == "template-syntax"
    assert problem.severity == "error"
    return source[problem.start : problem.end]


def message(source: str) -> str:
    (problem,) = lint(source)
    return problem.message


def test_the_environment_is_transformers_own(theirs):
    ours = template_environment()
    for option in ("trim_blocks", "lstrip_blocks", "keep_trailing_newline", "newline_sequence"):
        assert getattr(ours, option) == getattr(theirs, option)
    assert set(ours.filters) == set(theirs.filters)
    assert set(ours.tests) == set(theirs.tests)
    assert set(ours.globals) == set(theirs.globals)
    tags = [{tag for one in env.extensions.values() for tag in one.tags} for env in (ours, theirs)]
    assert tags[0] == tags[1]


def refuses(environment, source: str) -> str | None:
    try:
        environment.parse(source)
    except jinja2.TemplateSyntaxError as error:
        return error.message
    return None


def test_both_take_and_refuse_the_same(theirs, templates):
    """Whole, cut off anywhere, and with characters missing."""
    chance = random.Random(4)
    for source in templates.values():
        assert parse(source).fault is None
        for _ in range(6):
            at = chance.randrange(len(source))
            start = max(0, at - 1500)
            for broken in (source[start:at], source[start:at] + source[at + 1 : at + 1500]):
                fault = parse(broken).fault
                theirs_says = refuses(theirs, broken)
                assert (fault is None) == (theirs_says is None)
                if fault is not None:
                    assert theirs_says in fault.message
                    assert 0 <= fault.start <= fault.end <= len(broken) + 1


def test_every_token_is_at_its_place(templates):
    for source in templates.values():
        for newline in ("\n", "\r\n", "\r"):
            text = re.sub(r"\r\n|\r|\n", lambda _: newline, source)  # noqa: B023 - used at once.
            for item in read_lexemes(text):
                there = text[item.start : item.end]
                assert re.sub(r"\r\n|\r", "\n", there) == item.text
        assert open_blocks(read_tags(source)) == []


@pytest.mark.parametrize(
    ("source", "place", "says"),
    [
        ("{% for m in messages %}\n{{ m }}", "for", "`for` is never closed"),
        ("{% if a %}{% for m in b %}{% endif %}", "endif", "`for` of line 1 is still open"),
        ("a {% if x %} {{ y }}", "if", "`if` is never closed"),
        ("{% set x %}text", "set", "`set` is never closed"),
        ("{% endif %}", "endif", "has no beginning"),
        ("{{ f'{x}' }}", "'{x}'", "no f-strings"),
        ("{{ [x for x in y] }}", "for", "no comprehensions"),
        ("{% set x += 1 %}", "+", "x = x + …"),
        ("{% if a = b %}{% endif %}", "=", "=="),
        ("{% if a && b %}{% endif %}", "&", "`and`"),
        ("{% do x %}", "do", "set _"),
        ("{% elseif x %}", "elseif", "`elif`"),
        ("{{ 'abc }}", "'", "closing quote"),
        ("{{ a[0 }}", "}", "expected ']'"),
        ("ü\r\n{# no end", "{#", "Missing end of comment"),
        ("😀 {{ ~ }}", "~", "Unexpected '~'"),
        ("{% break %}", "break", "outside of any loop"),
        (
            "{% for a in tools %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
            "break",
            "loop",
        ),
        ("{{ " + "9" * 5000 + " }}", "9" * 5000, "too many digits"),
    ],
)
def test_errors_are_marked_and_explained(source, place, says):
    assert marked(source) == place
    assert says in message(source)


@pytest.mark.parametrize(
    "source",
    [
        "{% if a %}" * 10_000,
        "{% for a in b %}" * 10_000,
        "{{ " + "(" * 10_000,
        "{{ " + "not " * 10_000 + "a }}",
    ],
    ids=["if", "for", "brackets", "not"],
)
def test_hostile_nesting_is_a_problem_like_any_other(source):
    (problem,) = lint(source)
    assert problem.code == "template-syntax"
    assert "too deep" in problem.message or "unexpected" in problem.message.lower()
    assert problem.start < len(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "a+" * 5_000 + "a }}",
        "{{ a" + ".b" * 5_000 + " }}",
        "{{ a" + "|trim" * 5_000 + " }}",
        "{{ a" + "[0]" * 5_000 + " }}",
    ],
    ids=["sum", "fields", "filters", "items"],
)
def test_long_expressions_are_read(source):
    assert {problem.code for problem in lint(source)} <= {"undefined-name"}


def test_constants_are_never_computed():
    """jinja's compiler would compute this, for years."""
    assert lint("{{ 9 ** 9 ** 9 ** 9 }}{{ 'x' * 10 ** 10 }}") == []

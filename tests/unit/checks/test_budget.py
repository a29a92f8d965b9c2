"""Budgets: who sets them, what has to keep to them, where they are crossed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.checks.words import problems
from transformers_ls.checks.texts import Budget
from transformers_ls.tokens.boundaries import EXACT_CHARACTERS

TEN = Budget(max_tokens=10)


def test_within_near_and_over() -> None:
    assert problems("plaintext", "one two three", TEN) == []
    text = "one two three four\nfive six seven eight"
    (near,) = problems("plaintext", text, TEN)
    assert (near.code, near.severity) == ("near-budget", "information")
    assert "8 of 10 tokens for words (80 % of `transformers.budget.maxTokens`)" in near.message
    assert text[near.start : near.end] == "one two three four"
    assert problems("plaintext", text, replace(TEN, warn_share=1.0)) == []
    assert problems("plaintext", text, replace(TEN, warn_share=0.9)) == []
    text += "\nnine ten\neleven twelve\nthirteen"
    (over,) = problems("plaintext", text, TEN)
    assert (over.code, over.severity) == ("over-budget", "error")
    assert "has 13 tokens for words, 3 more than the 10 of" in over.message
    assert text[over.start : over.end] == "eleven twelve"


@pytest.mark.parametrize(
    ("language", "head"),
    [
        ("markdown", "---\ntitle: x\nmax-tokens: 5\n---\n"),
        ("markdown", "+++\nmax-tokens = 5\n+++\n"),
        ("markdown", "<!-- max-tokens: 5 -->\n"),
        ("markdown", "# Title\n\n<!-- max-tokens: 5 -->\r\n"),
        ("markdown", "{# max-tokens: 5 #}\n"),
        ("plaintext", "# max-tokens: 5\n"),
        ("plaintext", "// max-tokens=5\n"),
        ("jinja", "{#- max-tokens: 0_005 -#}\n"),
    ],
)
def test_the_file_says_it(language: str, head: str) -> None:
    text = head + "a b c d e f g h"
    (over,) = problems(language, text, Budget(max_tokens=1000))
    assert over.code == "over-budget"
    line = head[: head.index("max-tokens")].count("\n") + 1
    assert f"`max-tokens` in line {line}" in over.message
    # Zero lifts the budget of the settings.
    lifted = text.replace("0_005", "0").replace("5", "0")
    assert problems(language, lifted, Budget(max_tokens=3)) == []


def test_near_is_told_where_the_file_says_it() -> None:
    text = "<!-- max-tokens: 10 -->\na b c d e"
    (near,) = problems("markdown", text)
    assert near.code == "near-budget"
    assert text[near.start : near.end] == "10"


@pytest.mark.parametrize("value", ["many", "-3", "8k", "1.5", ""])
def test_no_number(value: str) -> None:
    text = f"# max-tokens: {value}\nword"
    (problem,) = problems("plaintext", text, Budget(max_tokens=1000))
    assert (problem.code, problem.severity) == ("budget-invalid", "warning")
    assert problem.start >= text.index(":")
    assert "max-tokens: 800" in problem.message


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("markdown", "# max-tokens: 1\n\nA heading is no comment."),
        ("markdown", "Write `<!-- max-tokens: 1 -->` into the file."),
        ("python", 'client.create(max_tokens=1)\nx = "a long enough string"'),
        ("yaml", "model:\n  max-tokens: 1\nprompt: a b c d"),
        ("json", '{"max-tokens": 1, "text": "one two three"}'),
        ("plaintext", "\n" * 11 + "# max-tokens: 1\n" + "\n" * 3 + "a b c d"),
    ],
)
def test_what_is_no_budget(language: str, text: str) -> None:
    assert problems(language, text) == []


def test_a_section_and_a_fence_may_have_their_own() -> None:
    text = (
        "# One\n\na b c d\n\n# Two\n<!-- max-tokens: 8 -->\n\na b c d e f g\nh i\n\n"
        "# Three\n\n```py\n# max-tokens: 4\nx = y\nz\n```\n"
    )
    section, fence = problems("markdown", text)
    assert "This section has" in section.message
    assert section.code == fence.code == "over-budget"
    assert text.index("# Two") < section.start < text.index("# Three")
    assert "This fence has" in fence.message
    assert text[fence.start : fence.end].startswith("=")


def test_a_string_may_have_its_own() -> None:
    filler = "\n" * 12
    text = f'{filler}# max-tokens: 3\nPROMPT = "one two\\tthree four"\nOTHER = "one two three four"'
    (over,) = problems("python", text)
    assert text[over.start : over.end] == 'four"'
    assert "`max-tokens` in line 13" in over.message


def test_each_string_of_a_program_and_each_chat_keeps_to_the_budget() -> None:
    text = 'A = "one two three"\nB = "one two three four five six"\n'
    (over,) = problems("python", text, Budget(max_tokens=5))
    assert text[over.start : over.end] == 'six"'
    chat = [{"role": "user", "content": "one two three"}, {"role": "user", "content": "four five"}]
    source = json.dumps({"messages": chat})
    span = (source.index("["), len(source) - 1)
    (over,) = problems("json", source, Budget(max_tokens=4), chats=[span])
    assert source[over.start :].startswith("five")
    assert "without what its template adds" in over.message
    assert problems("json", source, Budget(max_tokens=20), chats=[span]) == []


def test_reserved_output() -> None:
    text = "a b c d e f"
    (over,) = problems("plaintext", text, Budget(max_tokens=8, reserved_output=3))
    assert "the 5 of `transformers.budget.maxTokens` less `transformers.budget" in over.message
    (over,) = problems("plaintext", text, Budget(reserved_output=3, window=8))
    assert "the 5 of the context window less" in over.message
    assert problems("plaintext", text, Budget(reserved_output=3)) == []
    (wrong,) = problems("plaintext", text, Budget(max_tokens=8, reserved_output=8))
    assert wrong.code == "budget-invalid"


def test_long_documents_are_crossed_at_the_same_place() -> None:
    words = [f"word{number}" for number in range(20_000)]
    text = "\n".join(words)
    assert len(text) > EXACT_CHARACTERS
    (over,) = problems("plaintext", text, Budget(max_tokens=15_000))
    assert "has 20,000 tokens" in over.message
    # A word may be cut by each block that is counted before the place.
    number = words.index(text[over.start : over.end].split("\n")[0])
    assert abs(number - 15_000) <= len(text) // 4096 + 1


def test_codes_can_be_switched_off() -> None:
    assert problems("plaintext", "a b c", Budget(max_tokens=1), disabled=["over-budget"]) == []

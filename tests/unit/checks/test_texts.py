"""Special tokens and hidden characters in texts, and where they are none of our business."""

from __future__ import annotations

import ast
import json

import pytest

from tests.unit.checks.words import problems, repaired


@pytest.mark.parametrize(
    ("language", "text", "severity"),
    [
        ("markdown", "Tell me about <|im_end|> and more.", "warning"),
        ("plaintext", "Tell me about `<|im_end|>` and more.", "warning"),
        ("python", 'x = "Tell me about <|im_end|> now"', "information"),
        ("json", '{"prompt": "Tell me about <|im_end|> now"}', "warning"),
        ("jsonl", '{"text": "a b"}\n{"text": "Tell me <|im_end|> now"}', "warning"),
    ],
)
def test_special_tokens_in_texts(language: str, text: str, severity: str) -> None:
    (problem,) = problems(language, text)
    assert (problem.code, problem.severity) == ("special-token-in-text", severity)
    assert text[problem.start : problem.end] == "<|im_end|>"
    assert "<|im_end|> is a control token of words (id 10)" in problem.message
    assert problems(language, text, disabled=["special-token-in-text"]) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("markdown", "The token `<|im_end|>` ends a turn, ``<|im_start|>`` begins one."),
        ("markdown", "A template:\n\n```jinja\n<|im_start|>x<|im_end|>\n```\n"),
        ("markdown", "Indented:\n\n    <|im_start|>x\n"),
        ("markdown", "---\nstop: <|im_end|>\n---\ntext"),
        ("markdown", "<|im_start|>user\nrendered already<|im_end|>"),
        ("markdown", "A {% if x %} template <|im_end|>"),
        ("jinja", "{{ x }}<|im_end|>\n"),
        ("plaintext", "<|im_start|>user\nHi<|im_end|>\n"),
        ("python", 'STOP = "<|im_end|>"\n'),
        ("python", 'x = "<|im_start|>user\\nHello you<|im_end|>"'),
        ("python", 'x = "{{ a }} and <|im_end|>"'),
        ("python", "def f():\n    'Ends with <|im_end|> always.'\n"),
        ("python", "x = 1  # about <|im_end|>\n"),
        (
            "json",
            '{"eos_token": "<|im_end|>", "chat_template": "{% if a %} <|im_end|>{% endif %}"}',
        ),
        ("json", '[{"role": "user", "content": "the chat tells <|im_end|>"}]'),
    ],
)
def test_special_tokens_that_are_meant(language: str, text: str) -> None:
    assert problems(language, text) == []


def test_hidden_characters_say_what_they_cost_and_are_removed() -> None:
    text = "zero\u200bwidth and\u00a0\u00a0blanks"
    first, second = problems("markdown", text)
    assert {first.code, second.code} == {"hidden-character"}
    assert "U+200B ZERO WIDTH SPACE. By itself 1 token for words." in first.message
    assert repaired(text, first) == "zerowidth and\u00a0\u00a0blanks"
    assert repaired(text, second) == "zero\u200bwidth and blanks"
    assert repaired(text, first, -1) == "zerowidth and blanks"
    assert "all 2" in first.fixes[-1].title
    assert problems("markdown", text, disabled=["hidden-character"]) == []


@pytest.mark.parametrize("char", ["\u200b", "\U000e0041\U000e0042"])
def test_hidden_characters_are_shown_as_escapes(char: str) -> None:
    for language, text, read in (
        ("json", json.dumps({"a": f"x{char}y z"}, ensure_ascii=False), json.loads),
        ("python", f'"x{char}y z"', ast.literal_eval),
    ):
        (problem,) = problems(language, text)
        changed = repaired(text, problem, 1)
        assert changed.isascii()
        assert read(changed) == read(text)


@pytest.mark.parametrize("text", ['r"x\u200by z"', "x\u200by = 1  # no string", 'f"a" r"b\u200b"'])
def test_no_escapes_where_there_are_none(text: str) -> None:
    for problem in problems("python", text):
        assert [fix.title for fix in problem.fixes] == ["Remove the hidden character"]


def test_not_more_than_anybody_reads() -> None:
    text = "a\u00adb " * 500
    found = problems("plaintext", text)
    assert len(found) == 100
    assert repaired(text, found[0], -1) == "ab " * 500

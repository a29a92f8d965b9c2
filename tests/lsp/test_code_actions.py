"""The tasks in an editor's menu: few, fitting, and only what needs no further word."""

from __future__ import annotations

import pytest

from tests.support.session import range_of

URI = "file:///notes.md"
PART = "The quick brown fox jumps over the lazy dog."
TEXT = f"Intro.\n\n{PART}\n\nThe ___ of it.\n"
PYTHON = "class A:\n    def f(self):\n        return 1\n"
COMMON = [
    "Summarize selection",
    "Translate selection to French",
    "Generate from selection",
    "Continue selection",
    "Rewrite selection",
    "Fix grammar in selection",
    "Explain selection",
    "Classify sentiment of selection",
    "Find named entities in selection",
]


async def titles(client, text, part, *, uri=URI, language="markdown", only=None) -> list[str]:
    client.open(uri, text, language)
    span = part if isinstance(part, dict) else range_of(text, part)
    context = {"diagnostics": []} | ({"only": only} if only else {})
    asked = {"textDocument": {"uri": uri}, "range": span, "context": context}
    actions = await client.request("textDocument/codeAction", asked)
    for action in actions:
        (argument,) = action["command"]["arguments"]
        assert action["command"]["command"] == "transformers.run"
        assert argument["range"] == span
        assert argument["textDocument"] == {"uri": uri, "version": 1}
        assert action["kind"].endswith(f".{argument['task']}")
    return [action["title"] for action in actions]


async def test_the_common_tasks_are_offered(client):
    assert await titles(client, TEXT, PART) == COMMON


async def test_a_gap_is_offered_to_be_filled(client):
    assert await titles(client, TEXT, "The ___ of it.") == [*COMMON, "Fill mask in selection"]


@pytest.mark.parametrize(
    ("only", "wanted"),
    [
        (["refactor"], COMMON[:7]),
        (["refactor.rewrite.transformers.translate"], [COMMON[1]]),
        (["quickfix"], []),
        (["source"], []),
        (["transformers.answer"], [*COMMON[7:8], "Classify selection", COMMON[8]]),
        (
            ["refactor.rewrite.transformers"],
            [
                *COMMON[:3],
                "Summarize selection as bullets",
                "Summarize selection in one line",
                *COMMON[3:7],
            ],
        ),
    ],
)
async def test_they_keep_to_the_asked_kinds(client, only, wanted):
    assert await titles(client, TEXT, PART, only=only) == wanted


def cursor(line: int, character: int = 8) -> dict:
    at = {"line": line, "character": character}
    return {"start": at, "end": at}


@pytest.mark.parametrize(
    ("place", "offered"),
    [(cursor(1), ["Write docstring"]), (cursor(2), []), (cursor(0, 0), ["Write docstring"])],
)
async def test_a_cursor_at_a_definition_is_enough_for_a_docstring(client, place, offered):
    uri = "file:///a.py"
    assert await titles(client, PYTHON, place, uri=uri, language="python") == offered


async def test_docstrings_are_offered_in_code_only(client):
    found = await titles(client, PYTHON, "return 1", uri="file:///a.rs", language="rust")
    assert "Write docstring" in found
    found = await titles(client, PYTHON, cursor(1), uri="file:///b.rs", language="rust")
    assert found == []


async def test_nothing_is_offered_without_a_selection(client):
    assert await titles(client, TEXT, cursor(0, 2)) == []

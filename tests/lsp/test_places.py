"""Chats that are not JSON: previewed and hovered wherever they are written."""

from __future__ import annotations

import json

import pytest

from tests.support.session import position_of

PROMPT = "<|im_start|>system\nYou are brief.<|im_end|>\n<|im_start|>user\nTea?<|im_end|>\n"

YAML = "messages:\n- role: system\n  content: >-\n    You are\n    brief.\n- {role: user, content: Tea?}\n"
PYTHON = """\
m = [
    {"role": "system", "content": "You are " "brief."},
    {"role": "user", "content": "Tea?"},
]
"""
PROMPTY = "---\nname: x\n---\nsystem:\nYou are brief.\n\nuser:\nTea?\n"
MARKDOWN = "# Talk\n\n## System\n\nYou are brief.\n\n## User\n\nTea?\n"
NOTEBOOK = json.dumps(
    {"cells": [{"cell_type": "code", "source": PYTHON.splitlines(keepends=True)}]}, indent=1
)


@pytest.mark.parametrize(
    ("uri", "language", "text"),
    [
        ("file:///a.yaml", "yaml", YAML),
        ("file:///compose.yml", "dockercompose", YAML),
        ("file:///a.py", "python", PYTHON),
        ("vscode-notebook-cell:/a/b.ipynb#W0sZmlsZQ%3D%3D", "python", PYTHON),
        ("file:///a.prompty", "plaintext", PROMPTY),
        ("file:///a.prompt.md", "markdown", PROMPTY),
        ("file:///a.md", "markdown", MARKDOWN),
        ("file:///a.ipynb", "json", NOTEBOOK),
    ],
)
async def test_the_prompt_of_a_chat(client, uri, language, text):
    client.open(uri, text, language)
    document = {"textDocument": {"uri": uri}, "position": position_of(text, text.index("brief"))}
    answer = await client.request("transformers/render", document | {"addGenerationPrompt": False})
    assert answer["text"] == PROMPT
    hover = await client.request("textDocument/hover", document)
    assert "| tokenizer |" in hover["contents"]["value"]
    # The sandbox is warm by now; a paragraph below front matter is in no section.
    if not uri.endswith("prompt.md"):
        assert "What the model sees" in hover["contents"]["value"]


@pytest.mark.parametrize(
    ("uri", "text", "kind"),
    [
        ("file:///a.toml", 'prompt = """\nYou are brief.\n"""\n', "value · prompt"),
        ("file:///a.yml", YAML, "message · system"),
        ("file:///a.jinja", "{% block rules %}You are brief.{% endblock %}", "block · block rules"),
        ("file:///a.prompty", PROMPTY, "message · system"),
        ("file:///a.py", PYTHON, "message · system"),
        ("file:///a.ipynb", NOTEBOOK, "message · system"),
    ],
)
async def test_what_a_hover_is_about(client, uri, text, kind):
    client.open(uri, text, "python" if uri.endswith(".py") else "plaintext")
    hover = await client.request(
        "textDocument/hover",
        {"textDocument": {"uri": uri}, "position": position_of(text, text.index("brief"))},
    )
    name, label = kind.split(" · ")
    assert f"**{name}** · {label}" in hover["contents"]["value"]

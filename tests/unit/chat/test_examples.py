"""The chats of `examples/` are found, one for each way of writing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from transformers_ls.chat.conversation import find_conversations
from transformers_ls.cli._input import language_of_path
from transformers_ls.text.regions import find_regions
from transformers_ls.text.snapshot import Snapshot

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("name", "messages", "syntax", "exact"),
    [
        ("chat.json", 4, "json", True),
        ("chats.py", 4, "python", False),
        ("prompts.yaml", 4, "yaml", True),
        ("support.ipynb", 2, "notebook", True),
        ("support.prompty", 2, "prompty", False),
        ("transcript.md", 4, "markdown", True),
    ],
)
def test_each_syntax_has_an_example(name, messages, syntax, exact):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    (chat,) = find_conversations(language_of_path(name), text)
    assert (len(chat.messages), chat.syntax, chat.exact) == (messages, syntax, exact)
    assert not chat.broken


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("prompts.yaml", {"value", "message"}),
        ("prompts.toml", {"value"}),
        ("support.jinja", {"document", "section", "block"}),
        ("support.ipynb", {"cell", "message"}),
        ("support.prompty", {"front-matter", "message"}),
    ],
)
def test_each_kind_of_region_has_an_example(name, kinds):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    found = find_regions(language_of_path(name), Snapshot.of(text))
    assert {region.kind for region in found} == kinds

"""What is told once for a whole document."""

from __future__ import annotations

import json

import pytest

from transformers_ls.chat.conversation import find_conversations
from transformers_ls.chat.documents import (
    base_model_name,
    default_template,
    no_generation_tags,
    template_differs,
)
from transformers_ls.chat.template import ChatTemplate

PLAIN = ChatTemplate("{{ messages[0].content }}", "chat_template.jinja")
TAGGED = ChatTemplate("{% generation %}{% endgeneration %}", "chat_template.jinja")
LEARNT = json.dumps(
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
)
ASKED = json.dumps({"messages": [{"role": "user", "content": "a"}]})


@pytest.mark.parametrize(
    ("rows", "template", "expected"),
    [
        ([LEARNT, LEARNT], PLAIN, ["no-generation-tags"]),
        ([LEARNT, LEARNT], TAGGED, []),
        ([LEARNT, ASKED], PLAIN, []),
        ([LEARNT], PLAIN, []),
        ([], PLAIN, []),
    ],
)
def test_generation_tags_are_missed_in_training_data_only(rows, template, expected):
    text = "\n".join(rows)
    found = no_generation_tags(find_conversations("jsonl", text), template)
    assert [problem.code for problem in found] == expected
    assert all(text[problem.start : problem.end] == "{" for problem in found)


def test_a_template_that_is_not_the_bases():
    chats = find_conversations("json", LEARNT)
    (problem,) = template_differs(chats, TAGGED, "org/base", PLAIN)
    assert (problem.code, problem.severity) == ("template-differs", "information")
    assert "org/base" in problem.message
    same = ChatTemplate(PLAIN.source + "\n", "tokenizer_config.json")
    assert template_differs(chats, same, "org/base", PLAIN) == []
    assert template_differs([], TAGGED, "org/base", PLAIN) == []


@pytest.mark.parametrize(
    ("name", "text", "base"),
    [
        ("adapter_config.json", '{"base_model_name_or_path": "org/base"}', "org/base"),
        ("config.json", '{"_name_or_path": "org/base"}', "org/base"),
        ("config.json", '{"_name_or_path": ""}', None),
        ("config.json", "[", None),
        ("README.md", "---\nlicense: mit\nbase_model: org/base\n---\n", "org/base"),
        ("README.md", "---\nbase_model:\n- 'org/base'\n- org/other\n---\n", "org/base"),
        ("README.md", "---\nbase_model: []\n---\n", None),
        ("README.md", "no card\nbase_model: org/base\n", None),
        ("other.json", "{}", None),
    ],
)
def test_the_base_of_a_model(tmp_path, name, text, base):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert base_model_name(tmp_path) == base


def test_the_template_of_a_base(tmp_path):
    assert default_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text("[")
    assert default_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "T"}')
    assert default_template(tmp_path).source == "T"

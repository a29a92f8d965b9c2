"""Chats in YAML, Python, prompt files, Markdown and notebooks: what they say, and where."""

from __future__ import annotations

import ast
import json
import textwrap

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.chat.conversation import find_conversations
from transformers_ls.chat.repairs import repairs

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t'\"\\{}"))
ROLES = st.sampled_from(["system", "user", "assistant"])
CHATS = st.lists(
    st.fixed_dictionaries({"role": ROLES, "content": TEXT.filter(bool)}), min_size=1, max_size=4
)


def only(language, text):
    (chat,) = find_conversations(language, text)
    return chat


def check_places(text, chats):
    for chat in chats:
        assert 0 <= chat.start <= chat.end <= len(text)
        assert 0 <= chat.row_start <= chat.row_end <= len(text)
        for message in chat.messages:
            assert 0 <= message.start <= message.content_start <= len(text)
            assert message.content_start <= message.content_end <= message.end <= len(text)


def cut(data, text):
    start = data.draw(st.integers(0, len(text) // 2))
    end = data.draw(st.integers(start, len(text)))
    return text[start:end]


# --- YAML

YAML = """\
# A prompt.
model: x
messages:
  - role: system
    content: |
      You are 😀.

      Be "brief".
  - role: user
    content: >-
      folded
      text

      more
  - {role: assistant, content: "a\\tb"}
  - content: plain text
      over two lines   # why
    role: user
tools:
  - {type: function, function: {name: f}}
"""


def test_yaml():
    chat = only("yaml", YAML)
    loaded = yaml.safe_load(YAML)
    assert chat.as_chat() == loaded["messages"]
    assert chat.tools == loaded["tools"]
    assert chat.syntax == "yaml"
    assert chat.exact
    assert not chat.broken
    assert [YAML[m.content_start : m.content_end].split(maxsplit=1)[0] for m in chat.messages] == [
        "|",
        ">-",
        '"a\\tb"',
        "plain",
    ]
    for message in chat.messages:
        source = YAML[message.content_start : message.content_end]
        assert yaml.safe_load("x: " + source + "\n")["x"] == message.content
        assert source in YAML[message.start : message.end]
    assert YAML[chat.start :].startswith("- role: system")
    assert YAML[: chat.end].endswith("role: user")


def test_every_document_of_yaml_has_its_chats():
    text = "- {role: user, content: a}\n---\n- {role: user, content: b}\n...\n---\nx: 1\n"
    assert [chat.messages[0].content for chat in find_conversations("yaml", text)] == ["a", "b"]


def test_yaml_of_sharegpt_and_shared_messages():
    text = """
base: &system {role: system, content: Be brief.}
one:
  conversations:
    - {from: human, value: 12}
    - {from: gpt, value: b}
two:
  messages:
    - *system
    - {role: user, content: c}
"""
    one, two = find_conversations("yaml", text)
    assert [message.role for message in one.messages] == ["user", "assistant"]
    assert two.as_chat() == yaml.safe_load(text)["two"]["messages"]


def test_typing_yaml_never_loses_the_finished_messages():
    finished = 0
    for end in range(len(YAML) + 1):
        chats = find_conversations("yaml", YAML[:end])
        check_places(YAML[:end], chats)
        count = len(chats[0].messages) if chats else 0
        # The message that is being typed may come and go; those before it may not.
        assert count >= finished - 1
        finished = max(finished, count)
    assert finished == 4


@pytest.mark.parametrize(
    "half_typed",
    ['    content: "half', "    content", "    content: [", "    content: {a: 1", "    content: @"],
)
def test_one_line_of_yaml_spoils_no_other(half_typed):
    text = (
        f"- role: user\n  content: a\n- role: user\n{half_typed[2:]}\n- role: user\n  content: b\n"
    )
    chat = only("yaml", text)
    assert chat.broken
    contents = [message.content for message in chat.messages]
    assert contents[0] == "a"
    assert contents[-1] == "b"


@given(
    CHATS,
    st.sampled_from([None, '"', "'", "|", ">"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([20, 80]),
)
def test_yaml_reads_as_its_loader_does(messages, style, flow, unicode, width):
    text = yaml.dump(
        {"messages": messages},
        default_style=style,
        default_flow_style=flow,
        allow_unicode=unicode,
        width=width,
    )
    chat = only("yaml", text)
    check_places(text, [chat])
    assert chat.as_chat() == yaml.safe_load(text)["messages"]
    for message in chat.messages:
        source = text[message.content_start : message.content_end]
        if source[0] not in "|>":
            assert yaml.safe_load("x: " + source) == {"x": message.content}


@given(CHATS, st.sampled_from([None, '"', "|"]), st.data())
def test_any_cut_of_yaml(messages, style, data):
    text = cut(data, yaml.dump({"messages": messages}, default_style=style, allow_unicode=True))
    check_places(text, find_conversations("yaml", text))


@given(st.text("role:user content-|>&*x[]{}'\"\\#!%@`,?\n\t \ufeff\u2028\x00\ud800<", max_size=80))
def test_any_yaml(noise):
    text = "- {role: user, content: a}\n" + noise
    check_places(text, find_conversations("yaml", text))


# --- Python

PYTHON = '''\
SYSTEM = "Be brief."
row = {
    "messages": [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": ("one "
                                     "two\\n")},  # é
        *history,
        {"role": "user", "content": f"Hi {name!r}, {{x}}"},
        {"role": "assistant", "content": """three
lines"""},
        {"role": who, "content": "x"},
    ],
    "tools": [{"type": "function", "function": {"name": "f"}}, get_weather],
}
'''


def test_python():
    chat = only("python", PYTHON)
    assert chat.as_chat() == [
        {"role": "system", "content": "{SYSTEM}"},
        {"role": "user", "content": "one two\n"},
        {"role": "user", "content": "Hi {name!r}, {x}"},
        {"role": "assistant", "content": "three\nlines"},
    ]
    assert [message.exact for message in chat.messages] == [False, True, False, True]
    assert not chat.exact
    assert chat.syntax == "python"
    assert chat.label == "messages"
    assert chat.tools == [{"type": "function", "function": {"name": "f"}}]
    assert PYTHON[chat.row_start] == "{"
    for message in chat.messages:
        if message.exact:
            source = PYTHON[message.content_start : message.content_end]
            assert ast.literal_eval(source) == message.content


def test_chats_of_python_stand_anywhere():
    text = """
def f(x):
    return ask([{'role': 'user', 'content': 'a' + x}], messages=({"role": "user", "content": "b"},))
people = [{"name": "Ada", "role": "admin"}]
"""
    first, second = find_conversations("python", text)
    assert first.messages[0].content == "a{x}"
    assert second.messages[0].content == "b"
    assert (first.exact, second.exact) == (False, True)
    assert not first.broken


@pytest.mark.parametrize("item", ["*history", '{"role": who, "content": "x"}', "message"])
def test_messages_that_only_the_program_knows(item):
    chat = only("python", f'[{{"role": "user", "content": f"a{{b}}"}}, {item}]')
    assert [message.content for message in chat.messages] == ["a{b}"]
    assert chat.broken


def test_half_typed_python():
    text = 'm = [\n    {"role": "user", "content": "a"},\n    {"role": "user", "content": "b\n\nx = 1\n'
    chat = only("python", text)
    assert [message.content for message in chat.messages] == ["a"]
    assert chat.broken


@given(CHATS, st.sampled_from([repr, json.dumps]), st.booleans())
def test_python_reads_as_python_does(messages, write, spread):
    source = write(messages)
    if spread:
        source = source.replace("}, {", "},\n  {")
    text = f"é = 1\nmessages = {source}\n"
    chat = only("python", text)
    check_places(text, [chat])
    expected = ast.literal_eval(source)
    assert chat.as_chat() == expected
    assert ast.literal_eval(text[chat.start : chat.end]) == expected
    for message, given_ in zip(chat.messages, expected, strict=True):
        assert ast.literal_eval(text[message.start : message.end]) == given_
        assert (
            ast.literal_eval(text[message.content_start : message.content_end]) == given_["content"]
        )


@given(CHATS, st.data())
def test_any_cut_of_python(messages, data):
    text = cut(data, f"messages = {messages!r}\nx = {messages!r}")
    check_places(text, find_conversations("python", text))


# --- Prompt files

PROMPTY = """\
---
name: Basic
model:
  parameters:
    tools:
      - {type: function, function: {name: f}}
---
system:
You are 😀.

# Customer
  {{name}}

user[name="Ada"]:
The user: said hello
system: x

# assistant :
  indented
user:

"""


@pytest.mark.parametrize("language", ["prompty", "markdown"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_prompt_files(language, line_end):
    text = PROMPTY.replace("\n", line_end)
    chat = only(language, text)
    assert [(message.role, message.content) for message in chat.messages] == [
        ("system", "You are 😀.\n\n# Customer\n  {{name}}".replace("\n", line_end)),
        ("user", f"The user: said hello{line_end}system: x"),
        ("assistant", "  indented"),
    ]
    assert [message.exact for message in chat.messages] == [False, True, True]
    assert chat.syntax == "prompty"
    assert chat.tools == [{"type": "function", "function": {"name": "f"}}]
    for message in chat.messages:
        assert text[message.content_start : message.content_end] == message.content
    assert text[chat.start :].startswith("system:")


def test_what_stands_before_the_first_marker():
    (system, user) = only("prompty", "---\nx: 1\n---\nBe brief.\nuser:\nHi").messages
    assert (system.role, system.content, user.content) == ("system", "Be brief.", "Hi")
    chat = only("dotprompt", 'Hi {{role "model"}}Yes.\n{{role "system"}}\nNo.')
    assert [(m.role, m.content) for m in chat.messages] == [
        ("user", "Hi"),
        ("assistant", "Yes."),
        ("system", "No."),
    ]
    assert find_conversations("markdown", "---\nx: 1\n---\nBe brief.") == []
    assert find_conversations("prompty", "---\nx: 1\n---\n\n") == []


@given(st.text("system:user\n-{}# []=\"'\r role", max_size=60))
def test_any_prompt_file(noise):
    for text in (noise, f"---\n{noise}\n---\nsystem:\na\n{noise}user:\nb"):
        for language in ("prompty", "markdown"):
            chats = find_conversations(language, text)
            check_places(text, chats)
            for message in (message for chat in chats for message in chat.messages):
                assert text[message.content_start : message.content_end] == message.content


# --- Markdown

MARKDOWN = """\
# A talk

## System

Be brief.

## User:
Hi!

```
## Assistant
```

### A part
## **Assistant**

Yes.

## Notes
Not said.

# Another

**User:** one

**Assistant**:
two

## three
# End
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_markdown(line_end):
    text = MARKDOWN.replace("\n", line_end)
    first, second = find_conversations("markdown", text)
    assert [(m.role, m.content.splitlines()) for m in first.messages] == [
        ("system", ["Be brief."]),
        ("user", ["Hi!", "", "```", "## Assistant", "```", "", "### A part"]),
        ("assistant", ["Yes."]),
    ]
    assert [(m.role, m.content.splitlines()) for m in second.messages] == [
        ("user", ["one"]),
        ("assistant", ["two", "", "## three"]),
    ]
    for message in (*first.messages, *second.messages):
        assert text[message.content_start : message.content_end] == message.content
    assert first.syntax == "markdown"


@pytest.mark.parametrize(
    "text",
    [
        "# User\nManual for the user.\n# Installation\n",
        "# System\nx\n# Tool\ny\n",
        "## User\na\n### Assistant\nb\n",
        "- **User:** the one\n- **Assistant:** the other\n",
        "## Users\na\n## Assistants\nb\n",
        "```\n## User\na\n## Assistant\nb\n",
        "User: a\nAssistant: b\n",
    ],
)
def test_what_is_no_transcript(text):
    assert find_conversations("markdown", text) == []


# --- Notebooks


def notebook(*cells, **metadata):
    return {
        "cells": [{"cell_type": kind, "metadata": {}, "source": source} for kind, source in cells],
        "metadata": metadata,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def unescaped(source):
    """Join what stands in and between the JSON strings that a place in a notebook runs over."""
    joined = "".join(json.loads(f"[{_closed(source)}]"))
    return ast.literal_eval(textwrap.dedent(joined))


def _closed(source):
    return f'"{source}"'


CELL = (
    'm = [\n  {"role": "user", "content": "é 😀 \\n"},\n  {"role": "user", "content": """a\nb"""}]'
)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("lines", [True, False])
def test_notebooks(ascii_only, indent, lines):
    source = CELL.splitlines(keepends=True) if lines else CELL
    markdown = "## User\nHi\n## Assistant\nYes"
    book = notebook(("markdown", "# x"), ("code", source), ("markdown", markdown))
    text = json.dumps(book, indent=indent, ensure_ascii=ascii_only)
    first, second = find_conversations("ipynb", text)
    assert first.as_chat() == [
        {"role": "user", "content": "é 😀 \n"},
        {"role": "user", "content": "a\nb"},
    ]
    assert [message.content for message in second.messages] == ["Hi", "Yes"]
    assert first.syntax == second.syntax == "notebook"
    check_places(text, [first, second])
    for message in first.messages:
        source = text[message.content_start : message.content_end]
        assert unescaped(source) == message.content
        assert unescaped(text[message.start : message.end])["content"] == message.content
    for message in second.messages:
        assert text[message.content_start : message.content_end] == message.content


def test_a_notebook_of_another_language():
    book = notebook(("code", CELL), language_info={"name": "julia"})
    assert find_conversations("ipynb", json.dumps(book)) == []


@given(CHATS, st.booleans(), st.data())
def test_any_notebook(messages, ascii_only, data):
    source = f"messages = {messages!r}".splitlines(keepends=True)
    text = json.dumps(notebook(("code", source)), ensure_ascii=ascii_only)
    chat = only("ipynb", text)
    check_places(text, [chat])
    assert chat.as_chat() == messages
    for message in chat.messages:
        assert unescaped(text[message.content_start : message.content_end]) == message.content
    text = cut(data, text)
    check_places(text, find_conversations("ipynb", text))


def test_a_notebook_that_is_cut_off_in_an_escape():
    """Found by the test above: the string was read as it is written, but placed as if it were not."""
    contents = ["00" + "\xa1" * 8 + "\U00012544", "00" + "\xa1" * 3 + "\U00012544"]
    source = [f"messages = {[{'role': 'user', 'content': content} for content in contents]!r}"]
    text = json.dumps(notebook(("code", source)))
    for end in range(len(text)):
        check_places(text[:end], find_conversations("ipynb", text[:end]))


# --- What is done with them


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", '- {role: user, content: "a"}\n- {role: user, content: "b"}\n'),
        ("python", 'm = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]'),
        ("markdown", "## User\na\n## User\nb\n"),
    ],
)
def test_no_repair_is_written_in_the_wrong_language(language, text):
    assert list(repairs(only(language, text), text)) == []
    as_json = json.dumps(only(language, text).as_chat())
    assert list(repairs(only("json", as_json), as_json))

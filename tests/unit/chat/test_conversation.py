from __future__ import annotations

import json

import pytest

from transformers_ls.chat.conversation import (
    conversation_at,
    find_conversation,
    find_conversations,
    message_at,
)

USER = {"role": "user", "content": 'hi 😀 "there"\n'}
ASSISTANT = {"role": "assistant", "content": "hello é"}
TOOL = {"type": "function", "function": {"name": "f"}}


def roles(chat):
    return [message.role for message in chat.messages]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_span_is_the_source_of_its_value(ascii_only, indent):
    parts = {"role": "user", "content": [{"type": "text", "text": "what?"}]}
    text = json.dumps(
        {"messages": [USER, ASSISTANT, parts]}, ensure_ascii=ascii_only, indent=indent
    )
    (chat,) = find_conversations("json", text)
    assert json.loads(text[chat.start : chat.end]) == [USER, ASSISTANT, parts]
    assert json.loads(text[chat.row_start : chat.row_end]) == {"messages": [USER, ASSISTANT, parts]}
    for message, given in zip(chat.messages, [USER, ASSISTANT, parts], strict=True):
        assert json.loads(text[message.start : message.end]) == given
        assert json.loads(text[message.content_start : message.content_end]) == given["content"]
        assert message.content == given["content"]
        assert message.raw == given
    assert chat.as_chat() == [USER, ASSISTANT, parts]
    assert chat.label == "messages"
    assert not chat.broken


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([USER, ASSISTANT], [["user", "assistant"]]),
        ({"body": {"messages": [USER]}}, [["user"]]),
        ({"a": {"messages": [USER]}, "b": [{"messages": [ASSISTANT]}]}, [["user"], ["assistant"]]),
        ({"messages": []}, []),
        ({"messages": "none"}, []),
        ({"messages": [{"role": "user"}]}, [["user"]]),
        ([{"role": "admin", "name": "Ada"}], []),  # People with roles are no chat.
        ([{"from": "Ada", "subject": "x"}], []),
        ({"messages": [{"role": "assistant", "tool_calls": []}]}, [["assistant"]]),
        ({"messages": [USER, 7, None, {"x": 1}, ASSISTANT]}, [["user", "assistant"]]),
        ({"messages": [{"role": 7, "content": "x"}, USER]}, [["user"]]),
        (
            {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
            [["user", "assistant"]],
        ),
        (
            {"system": "s", "conversations": [{"from": "human", "value": "a"}]},
            [["system", "user"]],
        ),
        (
            {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [ASSISTANT]},
            [["user"], ["user", "assistant"], ["user", "assistant"]],
        ),
        (
            {"prompt": "hi", "chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]},
            [["user", "assistant"], ["user", "assistant"]],
        ),
        ({"prompt": [USER], "completion": [ASSISTANT]}, [["user"], ["user", "assistant"]]),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, []),
        (
            {
                "conversations": [{"from": "human", "value": "a"}],
                "chosen": {"from": "gpt", "value": "b"},
                "rejected": {"from": "gpt", "value": "c"},
            },
            [["user"], ["user", "assistant"], ["user", "assistant"]],
        ),
        (
            {
                "input": {"messages": [USER]},
                "preferred_output": [ASSISTANT],
                "non_preferred_output": [ASSISTANT],
            },
            [["user"], ["user", "assistant"], ["user", "assistant"]],
        ),
        (
            {"prompt": [USER], "completion": [ASSISTANT], "label": True},
            [["user"], ["user", "assistant"]],
        ),
        ({"completion": {"name": "x", "role": 7}}, []),
    ],
)
def test_shapes(value, expected):
    assert [roles(chat) for chat in find_conversations("json", json.dumps(value))] == expected


def test_what_stands_beside_the_messages():
    row = {
        "tools": [TOOL],
        "messages": [USER],
        "chat_template_kwargs": {"enable_thinking": False},
        "documents": [{"title": "t", "text": "x"}],
    }
    (chat,) = find_conversations("json", json.dumps(row))
    assert chat.tools == [TOOL]
    assert chat.template_kwargs == {"enable_thinking": False, "documents": row["documents"]}


@pytest.mark.parametrize(
    ("tools", "expected"),
    [(json.dumps([TOOL]), [TOOL]), ("not json", None), ([], None), ({}, None), (None, None)],
)
def test_tools_as_datasets_keep_them(tools, expected):
    (chat,) = find_conversations("json", json.dumps({"messages": [USER], "tools": tools}))
    assert chat.tools == expected


def test_the_function_call_of_sharegpt_is_a_tool_call():
    call = {"name": "f", "arguments": {"x": 1}}
    turns = [
        {"from": "human", "value": "a"},
        {"from": "function_call", "value": json.dumps(call)},
        {"from": "observation", "value": "42"},
        {"from": "function_call", "value": "no call"},
    ]
    (chat,) = find_conversations("json", json.dumps({"conversations": turns}))
    assert chat.as_chat() == [
        {"role": "user", "content": "a"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": call}],
        },
        {"role": "tool", "content": "42"},
        {"role": "assistant", "content": "no call"},
    ]


def test_images_and_tool_calls_are_given_as_they_are():
    parts = [{"type": "image", "url": "a.png"}, {"type": "text", "text": "what?"}]
    messages = [
        {"role": "user", "content": parts},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f"}}]},
    ]
    (chat,) = find_conversations("json", json.dumps(messages))
    assert chat.as_chat() == messages
    assert chat.exact


def test_each_line_of_jsonl_stands_for_itself():
    line = json.dumps({"messages": [{"role": "user", "content": "a\u2028b"}]}, ensure_ascii=False)
    text = f'{line}\r\n{{"messages": [{{"role": "user", "content": "half\n\n{line}\n[[[\n{line}'
    chats = find_conversations("jsonl", text)
    assert [chat.broken for chat in chats] == [False, True, False, False]
    for chat in chats:
        for message in chat.messages:
            assert text[message.start : message.end].startswith('{"role"')
            assert text[message.content_start] == '"'
    assert chats[1].messages[0].content == "half"


def test_typing_a_chat_never_loses_the_finished_messages():
    row = {"messages": [USER, ASSISTANT, USER], "tools": [TOOL]}
    text = json.dumps(row, indent=1, ensure_ascii=False)
    finished = 0
    for end in range(len(text) + 1):
        chats = find_conversations("json", text[:end])
        count = len(chats[0].messages) if chats else 0
        assert count >= finished
        finished = count
    assert finished == 3


def test_a_missing_quote_spoils_only_its_line():
    text = """{"messages": [
      {"role": "user", "content": "first"},
      {"role": "assistant", "content": "second},
      {"role": "user", "content": "third"}
    ], "tools": [{"name": "f"}]}"""
    (chat,) = find_conversations("json", text)
    assert roles(chat) == ["user", "assistant", "user"]
    assert chat.messages[2].content == "third"
    assert chat.tools == [{"name": "f"}]
    assert chat.broken


def test_who_is_at_an_offset():
    text = json.dumps({"prompt": [USER], "chosen": [ASSISTANT], "rejected": [ASSISTANT], "id": 7})
    chats = find_conversations("json", text)
    prompt, chosen, rejected = chats
    assert conversation_at(chats, prompt.start + 1) is prompt
    assert conversation_at(chats, chosen.start + 1) is chosen
    assert conversation_at(chats, rejected.end - 1) is rejected
    assert conversation_at(chats, text.index('"id"')) is prompt
    assert conversation_at(chats, len(text) + 1) is None
    assert message_at(chosen, text.rindex("hello", 0, rejected.start)) == 1
    assert message_at(chosen, len(text)) is None


@pytest.mark.parametrize("language", ["markdown", "prompty", "ipynb", "plaintext", "toml", ""])
def test_json_is_no_chat_in_other_languages(language):
    chats = find_conversations(language, json.dumps([USER]))
    assert all(chat.messages[0].role == "system" for chat in chats)  # A prompt is a text.


def test_a_deep_document_is_no_problem():
    assert find_conversations("json", '[{"role": ' * 50_000) == []


@pytest.mark.parametrize("language", ["jsonl", "yaml"])
def test_the_chat_at_a_place_or_else_the_first(language):
    lines = [json.dumps({"messages": [{"role": "user", "content": f"row {n}"}]}) for n in range(3)]
    glue = "\n" if language == "jsonl" else "\n---\n"
    text = "# no chat\n" + glue.join(lines) + "\n"
    chats = find_conversations(language, text)
    assert len(chats) == 3
    for offset in range(len(text) + 2):
        expected = conversation_at(chats, offset) or chats[0]
        assert find_conversation(language, text, offset) == expected
    assert find_conversation(language, text, None) == chats[0]
    assert find_conversation(language, "# no chat", 3) is None


def test_a_place_in_many_lines_reads_few_of_them(monkeypatch):
    line = json.dumps({"messages": [USER]})
    read = []
    monkeypatch.setattr(
        "transformers_ls.chat.conversation._in_line", lambda line: read.append(line) or ()
    )
    text = "\n".join([line] * 1000)
    monkeypatch.setattr("transformers_ls.chat.conversation._lines", lambda text: iter(()))
    assert find_conversation("jsonl", text, 500 * (len(line) + 1)) is None
    assert read == [line]


def test_what_is_returned_is_the_callers(monkeypatch):
    text = json.dumps({"messages": [USER] * 500})
    assert len(text) > 4096
    find_conversations("json", text).clear()
    assert len(find_conversations("json", text)) == 1

"""The parts of a rendered prompt: what each message costs, where it stands, what may be changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.session import RequestError, range_of
from tests.support.tiny_tokenizer import CHAT_TEMPLATE, reference_count

URI = "file:///chat.json"
MESSAGES = [
    {"role": "system", "content": "  You are \U0001f642 brief. "},
    {"role": "user", "content": 'Caf\u00e9 or "tea"?'},
    {"role": "assistant", "content": "Tea \U0001f375!"},
]
CHAT = json.dumps({"messages": MESSAGES}, indent=2, ensure_ascii=False)
TOOLS_TEMPLATE = (
    "{% if tools %}TOOLS {{ tools | length }} {% endif %}"
    "{% if enable_thinking is defined %}THINK {{ enable_thinking }} {% endif %}" + CHAT_TEMPLATE
)
TAGGED = CHAT_TEMPLATE.replace(
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}",
    "{{ '<|im_start|>' + message['role'] + '\n' }}{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}",
)


async def render(client, **more) -> dict:
    return await client.request("transformers/render", {"textDocument": {"uri": URI}} | more)


def cut(text: str, span: list[int]) -> str:
    units = text.encode("utf-16-le")
    return units[2 * span[0] : 2 * span[1]].decode("utf-16-le")


@pytest.fixture
def variant(model, tmp_path):
    """Make the model again with other templates."""

    def make(template: str, **named: str) -> str:
        folder = tmp_path / "variant"
        (folder / "additional_chat_templates").mkdir(parents=True)
        for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
            (folder / name).write_bytes((Path(model) / name).read_bytes())
        (folder / "chat_template.jinja").write_text(template)
        for name, text in named.items():
            (folder / "additional_chat_templates" / f"{name}.jinja").write_text(text)
        return str(folder)

    return make


async def test_messages_and_overhead_add_up(client, model):
    client.open(URI, CHAT, "json")
    answer = await render(client)
    folder = Path(model)
    for message, found in zip(MESSAGES, answer["messages"], strict=True):
        part = cut(answer["text"], [found["start"], found["end"]])
        assert part == f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n"
        assert found["tokens"] == reference_count(folder, part)
        assert found["exact"] is True
        assert found["contentTokens"] == reference_count(folder, message["content"])
        assert cut(answer["text"], found["content"]) == message["content"].strip()
    (around,) = answer["around"]
    assert cut(answer["text"], [around["start"], around["end"]]) == "<|im_start|>assistant\n"
    assert around["tokens"] == answer["overhead"]
    assert sum(m["tokens"] for m in answer["messages"]) + answer["overhead"] == answer["tokens"]
    assert answer["tokens"] == reference_count(folder, answer["text"])
    assert answer["exact"] is True
    assert answer["windowSource"]


async def test_the_places_of_messages_in_the_document(client):
    client.open(URI, CHAT, "json")
    answer = await render(client)
    for message, found in zip(MESSAGES, answer["messages"], strict=True):
        content = json.dumps(message["content"], ensure_ascii=False)
        assert found["contentRange"] == range_of(CHAT, content)
        start, end = found["range"]["start"], found["range"]["end"]
        assert CHAT.splitlines()[start["line"]][start["character"] :] == "{"
        assert CHAT.splitlines()[end["line"]][: end["character"]].strip() == "}"
        assert start["line"] < found["contentRange"]["start"]["line"] < end["line"]
    assert answer["range"]["start"] == {"line": 0, "character": 0}


async def test_without_details_only_the_prompt(client):
    client.open(URI, CHAT, "json")
    whole, quick = await render(client), await render(client, details=False)
    for key in ("text", "tokens", "specials", "templateName", "variables", "range"):
        assert quick[key] == whole[key]
    assert not {"overhead", "around", "trained"} & quick.keys()
    assert not any("tokens" in message for message in quick["messages"])


async def test_trained_tokens_by_prefix_difference(client, model):
    client.open(URI, CHAT, "json")
    trained = (answer := await render(client))["trained"]
    assert trained["source"] == "prefix difference"
    (text,) = (cut(answer["text"], span) for span in trained["spans"])
    assert text.rstrip("\n") == f"{MESSAGES[2]['content']}<|im_end|>"
    assert trained["tokens"] == reference_count(Path(model), text)


async def test_trained_tokens_by_tags(client, variant):
    client.open(URI, CHAT, "json")
    answer = await render(client, model=variant(TAGGED))
    assert answer["trained"]["source"] == "generation tags"
    (text,) = (cut(answer["text"], span) for span in answer["trained"]["spans"])
    assert text == f"{MESSAGES[2]['content']}<|im_end|>"


async def test_tools_and_variables(client, variant):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    client.open(URI, json.dumps({"messages": MESSAGES, "tools": tools}), "json")
    model = variant(TOOLS_TEMPLATE)
    own = await render(client, model=model)
    assert own["text"].startswith("TOOLS 1 ")
    assert own["toolCount"] == 1
    assert own["variables"] == ["enable_thinking"]
    none = await render(client, model=model, tools=False)
    assert none["text"].startswith("<|im_start|>")
    assert none["toolCount"] == 0
    two = await render(client, model=model, tools=tools * 2, kwargs={"enable_thinking": False})
    assert two["text"].startswith("TOOLS 2 THINK False ")
    assert two["toolCount"] == 2


async def test_named_templates(client, variant):
    client.open(URI, CHAT, "json")
    model = variant("DEFAULT", rag="RAG {{ messages | length }}")
    answer = await render(client, model=model, templateName="rag")
    assert answer["text"] == "RAG 3"
    assert answer["templateName"] == "rag"
    assert sorted(answer["templates"]) == ["default", "rag"]
    assert (await render(client, model=model))["text"] == "DEFAULT"
    with pytest.raises(RequestError, match="no chat template named"):
        await render(client, model=model, templateName="nope")


@pytest.mark.parametrize("more", [{"tools": True}, {"tools": {"a": 1}}, {"kwargs": [1]}])
async def test_malformed_options(client, more):
    client.open(URI, CHAT, "json")
    with pytest.raises(RequestError, match=r"`(tools|kwargs)` must be"):
        await render(client, **more)


async def test_a_message_that_vanishes_has_no_place(client, variant):
    """The place of what the template moves or drops is not guessed, and nothing is added up."""
    client.open(URI, CHAT, "json")
    template = "{% for m in messages | reverse %}{{ m.content }}{% endfor %}"
    answer = await render(client, model=variant(template))
    unknown = [m for m in answer["messages"] if "start" not in m]
    assert unknown
    assert not any("tokens" in m for m in unknown)
    assert not {"overhead", "around"} & answer.keys()


async def test_a_token_over_the_border_of_two_messages(client, variant):
    """Where a token belongs to two messages, their counts are no exact ones; the sum still holds."""
    rows = [{"role": "user", "content": "tok"}, {"role": "user", "content": "ens are here"}]
    client.open(URI, json.dumps(rows), "json")
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    answer = await render(client, model=variant(template))
    assert answer["text"] == "tokens are here"
    assert [m["exact"] for m in answer["messages"]] == [False, False]
    assert sum(m["tokens"] for m in answer["messages"]) + answer["overhead"] == answer["tokens"]

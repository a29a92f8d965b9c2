"""The chat preview: what the model sees, and what is said when it cannot be shown."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.session import RequestError, position_of
from tests.support.tiny_tokenizer import reference_count

URI = "file:///chat.json"
MESSAGES = [
    {"role": "system", "content": "You are brief."},
    {"role": "user", "content": "Caf\u00e9 \U0001f642 or tea?"},
]
CHAT = json.dumps({"messages": MESSAGES}, indent=2)
PROMPT = (
    "<|im_start|>system\nYou are brief.<|im_end|>\n"
    "<|im_start|>user\nCaf\u00e9 \U0001f642 or tea?<|im_end|>\n"
)
GENERATION = "<|im_start|>assistant\n"


async def render(client, **more) -> dict:
    return await client.request("transformers/render", {"textDocument": {"uri": URI}} | more)


async def test_the_prompt_is_the_templates(client, model):
    client.open(URI, CHAT, "json")
    answer = await render(client)
    assert answer["text"] == PROMPT + GENERATION
    assert answer["model"] == model
    assert answer["templateSource"] == "chat_template.jinja"
    assert answer["window"] == 8192
    assert answer["tokens"] == reference_count(Path(model), answer["text"])
    assert [message["role"] for message in answer["messages"]] == ["system", "user"]
    assert (await render(client, addGenerationPrompt=False))["text"] == PROMPT


async def test_special_tokens_are_marked_in_utf16(client):
    client.open(URI, CHAT, "json")
    answer = await render(client)
    units = answer["text"].encode("utf-16-le")
    found = [units[2 * start : 2 * end].decode("utf-16-le") for start, end in answer["specials"]]
    assert found == ["<|im_start|>", "<|im_end|>"] * 2 + ["<|im_start|>"]


async def test_the_preview_follows_edits(client):
    client.open(URI, CHAT, "json")
    for version, word in ((2, "short"), (3, "kind")):
        client.change(URI, version, CHAT.replace("brief", word))
        answer = await render(client)
        assert answer["version"] == version
        assert f"You are {word}." in answer["text"]


async def test_the_chat_at_the_cursor(client):
    rows = [{"messages": [{"role": "user", "content": f"Row {n}"}]} for n in range(3)]
    text = "\n".join(map(json.dumps, rows)) + "\n"
    client.open(URI, text, "jsonl")
    answer = await render(client, position=position_of(text, text.index("Row 1")))
    assert "Row 1" in answer["text"]
    assert "Row 0" not in answer["text"]


async def test_hover_on_a_message_shows_its_part_of_the_prompt(client):
    client.open(URI, CHAT, "json")
    at = position_of(CHAT, CHAT.index("brief"))
    await render(client)  # The sandbox is warm, so the hover need not wait for it.
    hover = await client.request(
        "textDocument/hover", {"textDocument": {"uri": URI}, "position": at}
    )
    value = hover["contents"]["value"]
    assert "**message** · system" in value
    assert "```text\n<|im_start|>system\nYou are brief.<|im_end|>\n\n```" in value
    assert "<|im_start|>user" not in value


async def test_a_prompt_cannot_leave_its_fence(client):
    """Text from models and datasets is data: no link or image of its may come alive in a hover."""
    evil = "````\n![x](http://example.com/x.png) [y](command:boom)"
    text = json.dumps([{"role": "user", "content": evil}])
    client.open(URI, text, "json")
    await render(client)
    at = position_of(text, text.index("user"))
    hover = await client.request(
        "textDocument/hover", {"textDocument": {"uri": URI}, "position": at}
    )
    assert "`````text\n" in hover["contents"]["value"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', "not json at all"])
async def test_no_chat_here(client, text):
    client.open(URI, text, "json")
    with pytest.raises(RequestError, match="no chat here"):
        await render(client)


async def test_half_typed_chats_still_render(client):
    client.open(URI, CHAT[: CHAT.index("or tea")], "json")
    assert "You are brief." in (await render(client))["text"]


async def test_a_model_without_a_template(client, base_model):
    client.open(URI, CHAT, "json")
    with pytest.raises(RequestError, match="no chat template") as caught:
        await render(client, model=base_model)
    assert caught.value.data["hint"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ raise_exception('Roles must alternate!') }}", "Roles must alternate!"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "s"),
        ("{{ 'a' * 10**10 }}", "memory|limit|large|output"),
        ("{% if %}", "Expected|syntax|line"),
        ("{{ ''.__class__.__mro__ }}", "unsafe|access"),
    ],
)
async def test_templates_that_fail(client, model, tmp_path, template, words):
    """Each ends in a clear message, and the next render works."""
    folder = tmp_path / "bad"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (folder / name).write_bytes((Path(model) / name).read_bytes())
    (folder / "chat_template.jinja").write_text(template)
    client.open(URI, CHAT, "json")
    with pytest.raises(RequestError, match=words) as caught:
        await render(client, model=str(folder))
    assert caught.value.data["code"].startswith("template")
    assert (await render(client))["text"] == PROMPT + GENERATION


async def test_a_killed_sandbox_costs_one_render_at_most(client):
    client.open(URI, CHAT, "json")
    await render(client)
    os.kill(client.server.chats.sandbox_pid, signal.SIGKILL)
    try:
        await render(client)
    except RequestError as error:
        assert error.data["code"].startswith("template")
    assert (await render(client))["text"] == PROMPT + GENERATION

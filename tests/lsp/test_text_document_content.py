"""Rendered prompts as the virtual documents of LSP 3.18."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.support.session import FULL_CAPABILITIES, RequestError

URI = "file:///a folder/ch\u00e4t.json"
CHAT = json.dumps([{"role": "user", "content": "Tea?"}])
REFRESH = "workspace/textDocumentContent/refresh"


def address(**params) -> str:
    query = json.dumps({"textDocument": {"uri": URI}} | params)
    return f"transformers-prompt:/Prompt?{quote(query)}"


async def content(client, uri: str) -> str:
    return (await client.request("workspace/textDocumentContent", {"uri": uri}))["text"]


async def test_the_scheme_is_told_to_clients_that_can_use_it(bare_client):
    workspace = FULL_CAPABILITIES["workspace"] | {"textDocumentContent": {}}
    new = await bare_client.initialize(FULL_CAPABILITIES | {"workspace": workspace})
    options = new["capabilities"]["workspace"]["textDocumentContent"]
    assert options == {"schemes": ["transformers-prompt", "transformers-result"]}
    old = await bare_client.initialize()
    assert "textDocumentContent" not in old["capabilities"]["workspace"]


async def test_a_prompt_is_a_document(client, model):
    client.open(URI, CHAT, "json")
    prompt = "<|im_start|>user\nTea?<|im_end|>\n"
    assert await content(client, address()) == prompt + "<|im_start|>assistant\n"
    assert await content(client, address(model=model, addGenerationPrompt=False)) == prompt


async def test_it_follows_the_document(client):
    client.open(URI, CHAT, "json")
    await content(client, address())
    client.change(URI, 2, CHAT.replace("Tea", "Milk"))
    client.change(URI, 3, CHAT.replace("Tea", "Coffee"))
    await client.until(lambda: client.requests[REFRESH])
    assert client.requests[REFRESH] == [{"uri": address()}]
    assert "Coffee?" in await content(client, address())


async def test_only_what_was_asked_for_is_refreshed(client):
    client.open(URI, CHAT, "json")
    client.open("file:///other.json", CHAT, "json")
    await content(client, address())
    client.change("file:///other.json", 2, "[]")
    client.change(URI, 2, CHAT + " ")
    await client.until(lambda: client.requests[REFRESH])
    assert client.requests[REFRESH] == [{"uri": address()}]


@pytest.mark.parametrize(
    "uri",
    [
        "transformers-prompt:/Prompt",
        "transformers-prompt:/Prompt?{",
        "transformers-prompt:/Prompt?%5B1%5D",
        "transformers-prompt:/Prompt?%7B%22model%22%3A%22a%22%7D",
        "transformers-prompt://[/Prompt?{}",
    ],
)
async def test_malformed_addresses(client, uri):
    with pytest.raises(RequestError, match="address of a prompt"):
        await content(client, uri)


async def test_a_document_that_is_not_open(client):
    with pytest.raises(RequestError, match="not open"):
        await content(client, address())

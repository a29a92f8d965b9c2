"""Budgets, special tokens and hidden characters are told to the client, pulled or pushed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from tests.lsp.test_runs import apply
from tests.support.session import FULL_CAPABILITIES, position_of, session
from tests.support.tiny_tokenizer import reference_count
from transformers_ls.lsp.server import create_server

URI = "file:///a.md"
PUBLISH = "textDocument/publishDiagnostics"
PUSHED = FULL_CAPABILITIES | {"textDocument": {"publishDiagnostics": {"versionSupport": True}}}


@asynccontextmanager
async def opened(model, settings, capabilities=None, **more):
    server = create_server()
    async with session(server, settings | more) as client:
        await client.initialize(capabilities)
        await client.until(lambda: server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        yield client


async def pull(client, uri: str = URI, **more) -> dict:
    params = {"textDocument": {"uri": uri}, **more}
    return await client.request("textDocument/diagnostic", params)


async def fixes(client, problem: dict, uri: str = URI) -> list[dict]:
    params = {
        "textDocument": {"uri": uri},
        "range": problem["range"],
        "context": {"diagnostics": [problem], "only": ["quickfix"]},
    }
    return await client.request("textDocument/codeAction", params)


async def test_a_file_over_its_budget(client, model):
    text = "---\nmax-tokens: 30\n---\n# Prompt\n\nYou are a helpful assistant that answers.\n"
    client.open(URI, text)
    (problem,) = (await pull(client))["items"]
    assert problem["code"] == "over-budget"
    assert problem["severity"] == 1
    assert f"has {reference_count(Path(model), text)} tokens for tiny-chat" in problem["message"]
    assert "`max-tokens` in line 2" in problem["message"]
    tokenizer = Tokenizer.from_file(str(Path(model) / "tokenizer.json"))
    start, _ = tokenizer.encode(text).offsets[30]
    assert problem["range"]["start"] == position_of(text, start)
    client.change(URI, 2, text.replace("30", "1_000"))
    assert (await pull(client))["items"] == []


async def test_budgets_of_the_settings_count_templates_out_of_chats(model, settings):
    text = '[{"role": "user", "content": "one two three four five six seven"}]'
    async with opened(model, settings, budget={"maxTokens": 4}) as client:
        client.open("file:///a.json", text, "json")
        (problem,) = (await pull(client, "file:///a.json"))["items"]
        assert problem["code"] == "over-budget"
        content = "one two three four five six seven"
        assert f"has {reference_count(Path(model), content)} tokens" in problem["message"]
        assert "without what its template adds" in problem["message"]


async def test_a_window_of_the_settings_is_a_budget_with_a_reserve(model, settings):
    more = {"contextWindows": {Path(model).name: 20}, "budget": {"reservedOutput": 17}}
    async with opened(model, settings, **more) as client:
        client.open(URI, "one two three four five six")
        (problem,) = (await pull(client))["items"]
        assert "the 3 of the context window less" in problem["message"]


async def test_hidden_characters_and_their_removal(client):
    text = "🙂 a\u200bb and\u00adc"
    client.open(URI, text)
    first, second = (await pull(client))["items"]
    assert first["code"] == second["code"] == "hidden-character"
    # Positions are in the client's units, and the emoji has two.
    assert first["range"]["start"] == position_of(text, text.index("\u200b"))
    remove, everything = await fixes(client, first)
    assert remove["kind"] == "quickfix"
    assert apply(text, remove["edit"]) == "🙂 ab and\u00adc"
    assert "all 2" in everything["title"]


async def test_special_tokens_in_every_language_we_serve(client):
    for uri, language, text in (
        ("file:///a.txt", "plaintext", "What does <|im_end|> do?"),
        ("file:///a.py", "python", 'x = "What does <|im_end|> do?"'),
        ("file:///b.md", "markdown", "What does <|im_end|> do?"),
    ):
        client.open(uri, text, language)
        (problem,) = (await pull(client, uri))["items"]
        assert problem["code"] == "special-token-in-text"
        assert problem["range"]["start"] == position_of(text, text.index("<|im_end|>"))


async def test_codes_can_be_switched_off(model, settings):
    off = {"disabled": ["special-token-in-text", "special-token-in-content"]}
    async with opened(model, settings, diagnostics=off) as client:
        client.open(URI, "What does <|im_end|> do\u200b?")
        assert [item["code"] for item in (await pull(client))["items"]] == ["hidden-character"]
        client.open("file:///c.json", '[{"role": "user", "content": "a <|im_end|> b"}]', "json")
        assert (await pull(client, "file:///c.json"))["items"] == []


async def test_what_did_not_change_is_not_told_again(client):
    client.open(URI, "a\u200bb")
    first = await pull(client)
    again = await pull(client, previousResultId=first["resultId"])
    assert again["kind"] == "unchanged"


def pushed(client, uri: str = URI) -> list[dict]:
    return [params for params in client.notifications[PUBLISH] if params["uri"] == uri]


async def test_clients_that_cannot_pull_are_told(model, settings):
    async with opened(model, settings, PUSHED) as client:
        client.open(URI, "a\u200bb", version=1)
        (first,) = await client.until(lambda: pushed(client))
        assert first["version"] == 1
        assert [item["code"] for item in first["diagnostics"]] == ["hidden-character"]
        for version in range(2, 8):
            client.change(URI, version, f"a\u200bb{version}")
        last = await client.until(lambda: pushed(client)[1:])
        # Keys that follow each other quickly are one report, of the last version.
        assert [report["version"] for report in last] == [7]
        client.change(URI, 8, "ab")
        await client.until(lambda: pushed(client)[-1]["diagnostics"] == [])
        client.change(URI, 9, "a\u200bb")
        await client.until(lambda: pushed(client)[-1]["diagnostics"])
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        assert pushed(client)[-1] == {"uri": URI, "diagnostics": []}


async def test_new_settings_are_pushed(model, settings):
    async with opened(model, settings, PUSHED) as client:
        client.open(URI, "a\u200bb")
        await client.until(lambda: pushed(client))
        client.settings["diagnostics"] = {"enabled": False}
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.until(lambda: pushed(client)[-1]["diagnostics"] == [])


@pytest.mark.parametrize(
    "capabilities",
    [FULL_CAPABILITIES, PUSHED | {"textDocument": {"publishDiagnostics": {}, "diagnostic": {}}}],
)
async def test_clients_that_pull_are_not_pushed(model, settings, capabilities):
    async with opened(model, settings, capabilities) as client:
        client.open(URI, "a\u200bb")
        assert len((await pull(client))["items"]) == 1
        await asyncio.sleep(0.5)
        assert not client.notifications[PUBLISH]

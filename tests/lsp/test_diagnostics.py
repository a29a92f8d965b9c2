"""What goes wrong with a chat is marked at its place, and repaired on request."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.lsp.test_runs import apply
from tests.support.session import position_of, session
from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.lsp.server import create_server

URI = "file:///chat.json"
STRICT = (
    "{%- for message in messages -%}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{ raise_exception('Conversation roles must alternate user/assistant') }}"
    "{%- endif -%}"
    "{{ '[' + message['role'] + '] ' + message['content'] + '\n' }}"
    "{%- endfor -%}"
)
GOOD = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}]
REFUSED = [{"role": "user", "content": "One"}, {"role": "user", "content": "Two"}]


@pytest.fixture
async def strict(tmp_path, engine):
    folder = make_tokenizer(tmp_path / "strict")
    (folder / "chat_template.jinja").write_text(STRICT)
    server = create_server()
    server.engine = engine
    async with session(server, {"tokenizers": [str(folder)]}) as client:
        await client.initialize()
        await client.until(lambda: server.configuration.all_tokenizers() == [str(folder)])
        await client.ready(str(folder))
        yield client


async def diagnose(client, **more) -> dict:
    return await client.request("textDocument/diagnostic", {"textDocument": {"uri": URI}} | more)


def document(messages: list) -> str:
    return json.dumps({"messages": messages}, indent=2)


async def test_a_good_chat_has_no_problems(strict):
    strict.open(URI, document(GOOD), "json")
    report = await diagnose(strict)
    assert report["kind"] == "full"
    assert report["items"] == []


async def test_a_refused_chat_is_marked_and_repaired(strict):
    text = document(REFUSED)
    strict.open(URI, text, "json")
    (problem,) = (await diagnose(strict))["items"]
    assert problem["code"] == "template-refuses"
    assert "must alternate" in problem["message"]
    page, _, anchor = problem["codeDescription"]["href"].partition("#")
    assert anchor == "template-refuses"
    assert "### template-refuses" in Path(url2pathname(urlsplit(page).path)).read_text("utf-8")
    assert problem["severity"] == 1
    # The second message is the one that the template refuses.
    assert problem["range"]["start"]["line"] > text[: text.index("One")].count("\n")
    at = problem["range"]["start"]
    actions = await strict.request(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": URI},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": [problem]},
        },
    )
    assert {action["kind"] for action in actions} == {"quickfix"}
    edits = actions[0]["edit"]["documentChanges"][0]["edits"]
    repaired = text
    for edit in sorted(edits, key=lambda e: e["range"]["start"]["line"], reverse=True):
        change = {"documentChanges": [{"edits": [edit]}]}
        repaired = apply(repaired, change)
    (merged,) = json.loads(repaired)["messages"]
    assert merged["role"] == "user"
    assert "One" in merged["content"]
    assert "Two" in merged["content"]
    strict.change(URI, 2, repaired)
    assert (await diagnose(strict))["items"] == []


async def test_literal_special_tokens_are_marked(client):
    text = document([{"role": "user", "content": "What does <|im_end|> do?"}])
    client.open(URI, text, "json")
    items = (await diagnose(client))["items"]
    assert [item["code"] for item in items] == ["special-token-in-content"]
    start = text.index("<|im_end|>")
    assert items[0]["range"]["start"] == position_of(text, start)


async def test_an_unchanged_document_is_not_reported_twice(strict):
    strict.open(URI, document(REFUSED), "json")
    first = await diagnose(strict)
    again = await diagnose(strict, previousResultId=first["resultId"])
    assert again == {"kind": "unchanged", "resultId": first["resultId"]}
    strict.change(URI, 2, document(GOOD))
    after = await diagnose(strict, previousResultId=first["resultId"])
    assert after["kind"] == "full"
    assert after["items"] == []


@pytest.mark.parametrize("text", ["", "{", "[1, 2", '{"messages": [{"role"'])
async def test_half_typed_text_has_no_false_problems(strict, text):
    strict.open(URI, text, "json")
    assert [item["code"] for item in (await diagnose(strict))["items"]] in ([], ["unknown-role"])


async def test_other_documents_are_left_alone(strict):
    strict.open("file:///a.md", "# Text")
    params = {"textDocument": {"uri": "file:///a.md"}}
    assert (await strict.request("textDocument/diagnostic", params))["items"] == []


@pytest.mark.parametrize("more", [{}, {"diagnostics": {"enabled": False}}])
async def test_without_a_template_or_switched_off(base_model, engine, more):
    server = create_server()
    server.engine = engine
    settings = {"tokenizers": [base_model], "models": {"chat": base_model}, **more}
    async with session(server, settings) as client:
        await client.initialize()
        await client.until(lambda: server.configuration.all_tokenizers() == [base_model])
        client.open(URI, document(REFUSED), "json")
        assert (await diagnose(client))["items"] == []

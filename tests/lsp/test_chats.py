"""Chats of open documents: the template that the settings name, and checks of whole datasets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.session import RequestError
from transformers_ls.lsp import chat_checks

URI = "file:///data.jsonl"
USER = {"role": "user", "content": "Tea?"}
ANSWER = {"role": "assistant", "content": "Yes."}
ROW = json.dumps({"messages": [USER, ANSWER]})


async def render(client):
    return await client.request("transformers/render", {"textDocument": {"uri": URI}})


async def test_a_template_from_the_settings(client, settings, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}", encoding="utf-8")
    settings["chatTemplate"] = str(path)
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    client.open(URI, ROW, "jsonl")
    await client.until(lambda: client.server.configuration.for_uri(URI).chat_template)
    answer = await render(client)
    assert (answer["text"], answer["templateSource"]) == ("[Tea?][Yes.]", str(path))
    path.unlink()
    with pytest.raises(RequestError, match=r"mine\.jinja"):
        await render(client)


async def test_a_base_model_has_no_prompt(client, settings, base_model):
    settings["tokenizers"] = [base_model]
    settings["models"] = {"chat": base_model}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    client.open(URI, ROW, "jsonl")
    await client.until(lambda: client.server.configuration.all_tokenizers() == [base_model])
    with pytest.raises(RequestError, match="no chat template") as caught:
        await render(client)
    assert "instruct model" in caught.value.message + str(caught.value.data)


async def test_a_dataset_is_checked_with_its_lengths(client, model):
    await client.ready(model)
    long = json.dumps({"messages": [{"role": "user", "content": "tea " * 9000}, ANSWER]})
    client.open(URI, f"{ROW}\n{ROW}\n{long}", "jsonl")
    server = client.server
    await client.until(lambda: server.documents.get(URI))
    document = server.documents.get(URI)
    name, template = await server.chats.template(document, None)
    *_, last = [
        progress async for progress in server.chats.checks.progress(document, name, template)
    ]
    assert (last.done, last.total) == (3, 3)
    codes = {problem.code: problem for problem in last.problems}
    assert codes.keys() == {"over-window", "no-generation-tags"}
    assert codes["over-window"].start > 2 * len(ROW)
    assert "message 1 (user)" in codes["over-window"].message
    assert Path(name) == Path(model)


async def test_a_long_dataset_is_checked_to_its_end_while_the_user_reads(
    client, model, monkeypatch
):
    monkeypatch.setattr(chat_checks, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(chat_checks, "_LARGE_ROWS", 100)
    await client.ready(model)
    rows = [json.dumps({"messages": [USER, {**ANSWER, "content": ""}]}) for _ in range(20)]
    rows += [json.dumps({"messages": [USER, {**ANSWER, "content": str(n)}]}) for n in range(900)]
    rows += [rows[0]] * 3
    client.open(URI, "\n".join(rows), "jsonl")

    async def diagnose():
        return await client.request("textDocument/diagnostic", {"textDocument": {"uri": URI}})

    async def until(number):
        async with asyncio.timeout(60):
            while len(found := (await diagnose())["items"]) < number:
                pass
            return found

    found = await until(24)
    assert len(found) == 24  # The hint for the whole dataset is one of them.
    assert max(item["range"]["start"]["line"] for item in found) == len(rows) - 1
    client.change(URI, 2, "\n".join(rows[:-1]))
    assert len(await until(23)) == 23


async def test_a_check_ends_with_its_document(client, model):
    await client.ready(model)
    rows = [json.dumps({"messages": [USER, {**ANSWER, "content": str(n)}]}) for n in range(2000)]
    client.open(URI, "\n".join(rows), "jsonl")
    client.start("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    checks = client.server.chats.checks
    await client.until(lambda: checks._tasks)
    client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    await client.until(lambda: not checks._tasks and not checks._running)

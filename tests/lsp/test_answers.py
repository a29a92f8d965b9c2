"""Runs that answer instead of edit: a document to read, and places in the text."""

from __future__ import annotations

import asyncio
from urllib.parse import unquote

import pytest
from huggingface_hub import (
    TokenClassificationOutputElement,
    ZeroShotClassificationOutputElement,
)

from tests.lsp.test_runs import apply
from tests.support.session import FULL_CAPABILITIES, RequestError, range_of, session
from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.lsp.server import create_server

URI = "file:///notes.md"
PART = "Ada 🙂 met Bob | [x](http://y)\nin Rome. Ada left."
TEXT = f"Intro.\n\n{PART}\n\nOutro.\n"


@pytest.fixture(scope="module")
def entity_model(tmp_path_factory) -> str:
    """A token classifier's folder: weights that nothing loads."""
    import json

    folder = make_tokenizer(tmp_path_factory.mktemp("models") / "tiny-entities", chat=False)
    config = {"model_type": "bert", "architectures": ["BertForTokenClassification"]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    return str(folder)


@pytest.fixture
def settings(settings, entity_model):
    settings["models"]["entities"] = entity_model
    return settings


def found(word: str, label: str, score: float, occurrence: int = 0):
    start = -1
    for _ in range(occurrence + 1):
        start = PART.index(word, start + 1)
    return TokenClassificationOutputElement(
        start=start, end=start + len(word), score=score, word=word, entity_group=label
    )


@pytest.fixture
def engine(engine):
    engine.outputs["token_classification"] = [
        found("Ada", "PER", 0.99),
        found("Bob | [x](http://y)", "PER", 0.75),
        found("Rome", "LOC", 0.5),
        found("Ada", "PER", 0.9, occurrence=1),
    ]
    engine.outputs["zero_shot_classification"] = [
        ZeroShotClassificationOutputElement("bug", 0.75),
        ZeroShotClassificationOutputElement("praise", 0.25),
    ]
    return engine


def params(task: str, **more) -> dict:
    place = {"uri": URI, "version": 1}
    return {"task": task, "textDocument": place, "range": range_of(TEXT, PART), **more}


def on_line(line: int, start: int, end: int) -> dict:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


async def test_names_are_highlighted_and_listed(client, entity_model):
    client.open(URI, TEXT)
    result = await client.request("transformers/run", params("entities", runId="r1"))
    assert result["edit"] == {"documentChanges": []}
    assert "conflict" not in result
    assert result["text"].startswith("4 found: Ada (PER), ")
    assert result["version"] == 1
    highlights = result["highlights"]
    # The emoji before it is two units of UTF-16.
    assert highlights[1]["range"] == on_line(2, 11, 30)
    assert [item["range"] for item in highlights if item["label"] == "LOC"] == [on_line(3, 3, 7)]
    assert highlights[0]["message"] == "PER (99.0 %)"
    assert highlights[0]["score"] == 0.99
    document = result["document"]
    assert document["title"] == "Find named entities in selection"
    lines = document["markdown"].splitlines()
    assert "## PER (3)" in lines
    assert "| Ada | 3, 4 | 99.0 % |" in lines
    # What the text says is data: no link, no new column.
    assert r"| Bob \| \[x\]\(http://y\) | 3 | 75.0 % |" in lines
    assert not client.notifications["transformers/run/delta"]


async def test_labels_are_scored(client, engine):
    client.open(URI, TEXT)
    labels = ["bug", "praise"]
    result = await client.request("transformers/run", params("zero-shot", labels=labels))
    assert engine.asked[-1]["candidate_labels"] == labels
    assert engine.asked[-1]["text"] == PART
    assert result["text"] == "bug (75.0 %)"
    assert "| bug | 75.0 % | ███████████████░░░░░ |" in result["document"]["markdown"]
    assert result["highlights"] == []


async def test_a_chat_model_answers_a_question_in_its_own_words(client, engine):
    client.open(URI, TEXT)
    engine.tokens = ("Ada ", "and *Bob* ![x](http://y)\n", "```\n[code](x)\n```")
    asked = params("ask", question="Who *met*?", runId="r1")
    result = await client.request("transformers/run", asked)
    said = engine.asked[-1]["messages"][-1]["content"]
    assert PART in said
    assert said.endswith("Question: Who *met*?")
    streamed = "".join(d["text"] for d in client.notifications["transformers/run/delta"])
    assert streamed == result["text"] == "".join(engine.tokens)
    markdown = result["document"]["markdown"]
    assert r"> Who \*met\*?" in markdown
    assert r"Ada and \*Bob\* \!\[x\]\(http://y\)" in markdown
    assert "```text\n[code](x)\n```" in markdown
    assert result["edit"] == {"documentChanges": []}
    assert client.server.documents.get(URI).snapshot.text == TEXT


@pytest.mark.parametrize(
    ("task", "missing"), [("ask", "question"), ("zero-shot", "labels"), ("similarity", "second")]
)
async def test_what_was_not_said_is_asked_for(client, task, missing):
    client.open(URI, TEXT)
    with pytest.raises(RequestError, match=missing):
        await client.request("transformers/run", params(task))


async def test_a_model_of_the_wrong_kind_names_one_that_would_do(client, model):
    client.open(URI, TEXT)
    asked = params("similarity", otherRange=range_of(TEXT, "Outro."), model=model)
    with pytest.raises(RequestError, match="cannot do `similarity`") as caught:
        await client.request("transformers/run", asked)
    assert "sentence-transformers/all-MiniLM-L6-v2" in caught.value.data["hint"]


@pytest.mark.parametrize("change", ["before", "inside", "closed"])
async def test_places_are_those_of_the_document_as_it_is_now(client, engine, change):
    client.open(URI, TEXT)
    engine.gate = asyncio.Semaphore(0)
    _, answer = client.start("transformers/run", params("entities"))
    await client.until(lambda: engine.running == 1)
    if change == "before":
        client.change(URI, 2, (on_line(0, 0, 0), "One more line.\n"))
    elif change == "inside":
        client.change(URI, 2, (range_of(TEXT, "Rome"), "Bonn"))
    else:
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    for _ in engine.tokens:
        engine.gate.release()
    result = await asyncio.wait_for(answer, 5)
    markdown = result["document"]["markdown"]
    if change == "before":
        assert result["version"] == 2
        assert result["highlights"][0]["range"] == on_line(3, 0, 3)
        assert "| Ada | 4, 5 | 99.0 % |" in markdown
    else:
        assert result["highlights"] == []
        assert "| Ada | 3, 4 | 99.0 % |" in markdown
        assert ("changed during the run" in markdown) == (change == "inside")


async def command(client, **more) -> None:
    arguments = [params("entities", **more)]
    await client.request(
        "workspace/executeCommand", {"command": "transformers.run", "arguments": arguments}
    )


async def test_any_editor_gets_the_best_of_it_and_diagnostics_until_it_edits(client):
    client.open(URI, TEXT)
    await command(client)
    (shown,) = await client.until(lambda: client.notifications["window/showMessage"])
    assert "Find named entities in selection: 4 found: Ada (PER)" in shown["message"]
    asked = {"textDocument": {"uri": URI}}
    report = await client.request("textDocument/diagnostic", asked)
    (rome,) = [item for item in report["items"] if item["code"] == "LOC"]
    assert (rome["range"], rome["severity"]) == (on_line(3, 3, 7), 3)
    assert rome["message"] == "LOC (50.0 %)"
    again = await client.request(
        "textDocument/diagnostic", asked | {"previousResultId": report["resultId"]}
    )
    assert again["kind"] == "unchanged"
    client.change(URI, 2, (on_line(0, 0, 0), "More. "))
    report = await client.request(
        "textDocument/diagnostic", asked | {"previousResultId": report["resultId"]}
    )
    assert not [item for item in report["items"] if item["code"] in ("LOC", "PER")]
    assert not client.requests["workspace/applyEdit"]


@pytest.mark.parametrize("success", [True, False])
async def test_an_editor_with_virtual_documents_opens_the_answer(engine, settings, success):
    server = create_server()
    server.engine = engine
    capabilities = FULL_CAPABILITIES | {
        "workspace": FULL_CAPABILITIES["workspace"] | {"textDocumentContent": {}},
        "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    }
    async with session(server, settings) as client:
        answer = await client.initialize(capabilities)
        schemes = answer["capabilities"]["workspace"]["textDocumentContent"]["schemes"]
        assert schemes == ["transformers-prompt", "transformers-result"]
        await client.until(lambda: server.configuration.all_tokenizers() == settings["tokenizers"])
        client.silent.add("window/showDocument")
        client.open(URI, TEXT)
        await command(client)
        (asked,) = await client.until(lambda: client.requests["window/showDocument"])
        assert unquote(asked["uri"]).startswith(
            "transformers-result:/Find named entities in selection.md?"
        )
        content = await client.request("workspace/textDocumentContent", {"uri": asked["uri"]})
        assert content["text"].startswith("# Find named entities in selection\n")
        (request,) = [m for m in client.raw if m.get("method") == "window/showDocument"]
        client.send({"jsonrpc": "2.0", "id": request["id"], "result": {"success": success}})
        if success:
            await client.until(lambda: not server.runs.ids)
            with pytest.raises(RequestError, match="not kept"):
                await client.request(
                    "workspace/textDocumentContent", {"uri": "transformers-result:/x.md?9"}
                )
        else:
            await client.until(lambda: client.notifications["window/showMessage"])


async def test_the_tasks_say_what_they_ask_for_and_what_comes_of_them(client):
    client.open(URI, TEXT)
    listed = await client.request("transformers/tasks", {"textDocument": {"uri": URI}})
    tasks = {task["id"]: task for task in listed["tasks"]}
    asks = {name: (task["result"], task["asks"]) for name, task in tasks.items()}
    assert asks["translate"] == ("edit", ["language"])
    assert asks["docstring"] == ("edit", [])
    assert asks["ask"] == ("answer", ["question"])
    assert asks["zero-shot"] == ("answer", ["labels"])
    assert asks["similarity"] == ("answer", ["otherRange"])
    assert asks["entities"] == ("answer", [])


PYTHON = "import os\n\n\nclass A:\n    def f(self):\n        return os.sep\n"


@pytest.mark.parametrize("answer", ["Return it.", '```\n"""Return it."""\n```'])
async def test_a_docstring_is_written_where_it_belongs(client, engine, answer):
    uri = "file:///a.py"
    client.open(uri, PYTHON, "python")
    engine.tokens = (answer,)
    engine.gate = asyncio.Semaphore(0)
    at = {"line": 5, "character": 10}
    asked = {"task": "docstring", "textDocument": {"uri": uri}, "range": {"start": at, "end": at}}
    _, pending = client.start("transformers/run", asked)
    await client.until(lambda: engine.running == 1)
    client.change(uri, 2, (on_line(0, 0, 9), "import os  # é 🙂"))
    engine.gate.release()
    result = await asyncio.wait_for(pending, 5)
    said = engine.asked[-1]["messages"][-1]["content"]
    assert said.endswith("\n\ndef f(self):\n    return os.sep")
    now = client.server.documents.get(uri).snapshot.text
    assert apply(now, result["edit"]) == now.replace(
        "        return", '        """Return it."""\n        return'
    )


async def test_an_answer_that_is_no_docstring_changes_nothing(client, engine):
    uri = "file:///a.py"
    client.open(uri, PYTHON, "python")
    engine.tokens = ("def f(self): return 2",)
    asked = {
        "task": "docstring",
        "textDocument": {"uri": uri},
        "range": range_of(PYTHON, "return os.sep"),
    }
    result = await client.request("transformers/run", asked)
    assert result["edit"] == {"documentChanges": []}
    assert "no docstring" in result["conflict"]


async def test_an_editor_that_cannot_pull_is_pushed_the_places(engine, settings):
    server = create_server()
    server.engine = engine
    capabilities = FULL_CAPABILITIES | {"textDocument": {"publishDiagnostics": {}}}
    async with session(server, settings) as client:
        await client.initialize(capabilities)
        await client.until(lambda: server.configuration.all_tokenizers() == settings["tokenizers"])
        client.open(URI, TEXT)
        await command(client)

        def last() -> list:
            sent = client.notifications["textDocument/publishDiagnostics"]
            return [item["code"] for item in sent[-1]["diagnostics"]] if sent else []

        await client.until(lambda: "LOC" in last())
        client.change(URI, 2, (on_line(0, 0, 0), "More. "))
        await client.until(lambda: "LOC" not in last())


async def test_cancelling_stops_what_is_found(client, engine):
    client.open(URI, TEXT)
    engine.gate = asyncio.Semaphore(0)
    msg_id, answer = client.start("transformers/run", params("entities"))
    await client.until(lambda: engine.running == 1)
    client.notify("$/cancelRequest", {"id": msg_id})
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(answer, 5)
    assert caught.value.code == -32800
    assert (engine.stopped, engine.running) == (1, 0)

"""Tasks on a document: streaming, placement, cancel, and what never happens to the user's text."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.session import RequestError, Session, range_of
from transformers_ls.errors import EngineDiedError

URI = "file:///notes.md"
TEXT = "Intro.\n\nThe quick brown fox jumps over the lazy dog.\n\nOutro 🙂.\n"
PART = "The quick brown fox jumps over the lazy dog."


def params(task: str, part: str = PART, **more) -> dict:
    return {
        "task": task,
        "textDocument": {"uri": URI, "version": 1},
        "range": range_of(TEXT, part),
        **more,
    }


def apply(text: str, edit: dict) -> str:
    """Apply a WorkspaceEdit of one edit, as an editor does."""
    (change,) = edit["documentChanges"]
    (one,) = change["edits"]
    lines = text.splitlines(keepends=True)

    def offset(position: dict) -> int:
        line = "".join(lines[position["line"] : position["line"] + 1])
        units = line.encode("utf-16-le")[: 2 * position["character"]]
        return sum(map(len, lines[: position["line"]])) + len(units.decode("utf-16-le"))

    start, end = offset(one["range"]["start"]), offset(one["range"]["end"])
    return text[:start] + one["newText"] + text[end:]


def open_notes(client: Session) -> None:
    client.open(URI, TEXT)


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("summarize", TEXT.replace(PART, f"{PART}\n\nA short answer.")),
        ("generate", TEXT.replace(PART, f"{PART}\n\nA short answer.")),
        ("translate", TEXT.replace(PART, "A short answer.")),
    ],
)
async def test_a_run_streams_and_answers_with_the_edit(client, model, engine, task, wanted):
    open_notes(client)
    result = await client.request("transformers/run", params(task, runId="r1"))
    deltas = client.notifications["transformers/run/delta"]
    assert [delta["seq"] for delta in deltas] == list(range(len(deltas)))
    assert "".join(delta["text"] for delta in deltas) == result["text"] == "A short answer."
    assert {delta["runId"] for delta in deltas} == {result["runId"]} == {"r1"}
    (change,) = result["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    assert apply(TEXT, result["edit"]) == wanted
    facts = result["facts"]
    assert facts["model"] == model
    assert facts["destination"] == "this machine (scripted)"
    assert (facts["promptTokens"], facts["completionTokens"]) == (7, 3)
    assert (facts["device"], facts["dtype"], facts["memoryBytes"]) == ("cuda:0", "bfloat16", 10**6)
    assert (facts["loadSeconds"], facts["reusedTokens"], facts["acceptedTokens"]) == (0.25, 4, 2)
    assert "document" not in result
    assert PART in engine.asked[0]["messages"][-1]["content"]
    stages = [note["stage"] for note in client.notifications["transformers/run/stage"]]
    assert stages == ["loading", "running"]


async def test_a_run_command_applies_one_versioned_edit(client):
    """The way of any LSP client: progress, then one workspace/applyEdit."""
    open_notes(client)
    started = await client.request(
        "workspace/executeCommand",
        {"command": "transformers.run", "arguments": [params("summarize")]},
    )
    assert started["runId"]
    (applied,) = await client.until(lambda: client.requests["workspace/applyEdit"])
    (change,) = applied["edit"]["documentChanges"]
    assert change["textDocument"]["version"] == 1
    assert apply(TEXT, applied["edit"]) == TEXT.replace(PART, f"{PART}\n\nA short answer.")
    kinds = [note["value"]["kind"] for note in client.notifications["$/progress"]]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert client.notifications["$/progress"][0]["value"]["cancellable"] is True
    assert not client.server.work_done_progress.tokens


@pytest.mark.parametrize("way", ["request", "method", "command", "progress"])
async def test_cancelling_stops_the_compute(client, engine, way):
    open_notes(client)
    engine.gate = asyncio.Semaphore(1)
    if way in ("request", "method"):
        msg_id, answer = client.start("transformers/run", params("summarize", runId="r1"))
    else:
        arguments = [params("summarize", runId="r1")]
        await client.request(
            "workspace/executeCommand", {"command": "transformers.run", "arguments": arguments}
        )
    await client.until(lambda: engine.running == 1)
    await client.until(engine.gate.locked)
    if way == "request":
        client.notify("$/cancelRequest", {"id": msg_id})
    elif way == "method":
        assert await client.request("transformers/cancel", {"runId": "r1"}) == {"cancelled": True}
    elif way == "command":
        cancel = {"command": "transformers.cancel", "arguments": [{"runId": "r1"}]}
        assert await client.request("workspace/executeCommand", cancel) == {"cancelled": True}
    else:
        (begin,) = await client.until(
            lambda: [
                note
                for note in client.notifications["$/progress"]
                if note["value"]["kind"] == "begin"
            ]
        )
        client.notify("window/workDoneProgress/cancel", {"token": begin["token"]})
    if way in ("request", "method"):
        with pytest.raises(RequestError) as caught:
            await asyncio.wait_for(answer, 5)
        assert caught.value.code == -32800
    await client.until(lambda: engine.running == 0)
    await client.until(lambda: not client.server.runs.ids)
    assert engine.stopped == 1
    assert not client.requests["workspace/applyEdit"]
    assert not client.notifications["window/showMessage"]
    assert client.server.documents.get(URI).snapshot.text == TEXT
    # The next run works.
    engine.gate = None
    result = await client.request("transformers/run", params("summarize"))
    assert result["text"] == "A short answer."


async def test_cancelling_what_is_not_running(client):
    assert await client.request("transformers/cancel", {"runId": "x"}) == {"cancelled": False}


async def test_an_edit_elsewhere_moves_the_result(client, engine):
    open_notes(client)
    engine.gate = asyncio.Semaphore(1)
    _, answer = client.start("transformers/run", params("translate"))
    await client.until(lambda: engine.running == 1)
    start = {"line": 0, "character": 0}
    client.change(URI, 2, ({"start": start, "end": start}, "New first line 🙂\n"))
    for _ in engine.tokens:
        engine.gate.release()
    result = await asyncio.wait_for(answer, 5)
    (change,) = result["edit"]["documentChanges"]
    assert change["textDocument"]["version"] == 2
    now = client.server.documents.get(URI).snapshot.text
    assert apply(now, result["edit"]) == now.replace(PART, "A short answer.")


async def test_the_selection_is_taken_when_asked(client, engine):
    """An edit while the editor shows the progress item must not change what the model gets."""
    open_notes(client)
    client.silent.add("window/workDoneProgress/create")
    arguments = [params("summarize")]
    await client.request(
        "workspace/executeCommand", {"command": "transformers.run", "arguments": arguments}
    )
    await client.until(lambda: client.requests["window/workDoneProgress/create"])
    start = {"line": 0, "character": 0}
    client.change(URI, 2, ({"start": start, "end": start}, "Another first line\n"))
    (create,) = [m for m in client.raw if m.get("method") == "window/workDoneProgress/create"]
    client.send({"jsonrpc": "2.0", "id": create["id"], "result": None})
    (applied,) = await client.until(lambda: client.requests["workspace/applyEdit"])
    assert PART in engine.asked[0]["messages"][-1]["content"]
    now = client.server.documents.get(URI).snapshot.text
    assert apply(now, applied["edit"]) == now.replace(PART, f"{PART}\n\nA short answer.")


async def test_a_copy_of_the_selection_is_never_overwritten(client, engine):
    text = "Hello\nmid\nHello"
    client.open(URI, text)
    engine.gate = asyncio.Semaphore(1)
    first = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 5}}
    asked = {"task": "translate", "textDocument": {"uri": URI}, "range": first}
    _, answer = client.start("transformers/run", asked)
    await client.until(lambda: engine.running == 1)
    client.change(URI, 2, (first, "Hallo"))
    for _ in engine.tokens:
        engine.gate.release()
    result = await asyncio.wait_for(answer, 5)
    assert result["edit"] == {"documentChanges": []}
    assert "changed" in result["conflict"]


async def test_a_cut_translation_does_not_replace(client, engine):
    open_notes(client)
    engine.finish_reason = "length"
    result = await client.request("transformers/run", params("translate"))
    assert result["edit"] == {"documentChanges": []}
    assert "cut at 256 tokens" in result["conflict"]
    assert result["text"] == "A short answer."


async def test_an_empty_answer_deletes_nothing(client, engine):
    open_notes(client)
    engine.tokens = (" ",)
    with pytest.raises(RequestError, match="answered with nothing"):
        await client.request("transformers/run", params("translate"))


@pytest.mark.parametrize("answer", [{"error": {"code": -32601, "message": "no"}}, {"result": 7}])
async def test_a_client_that_cannot_apply_edits_loses_nothing(client, answer):
    open_notes(client)
    client.silent.add("workspace/applyEdit")
    arguments = [params("summarize")]
    await client.request(
        "workspace/executeCommand", {"command": "transformers.run", "arguments": arguments}
    )
    await client.until(lambda: client.requests["workspace/applyEdit"])
    (asked,) = [m for m in client.raw if m.get("method") == "workspace/applyEdit"]
    client.send({"jsonrpc": "2.0", "id": asked["id"]} | answer)
    (shown,) = await client.until(lambda: client.notifications["window/showMessage"])
    assert "A short answer." in shown["message"]


@pytest.mark.parametrize("way", ["edited", "closed", "refused"])
async def test_a_result_that_cannot_be_placed_is_shown_not_lost(client, engine, way):
    open_notes(client)
    engine.gate = asyncio.Semaphore(1)
    arguments = [params("translate")]
    await client.request(
        "workspace/executeCommand", {"command": "transformers.run", "arguments": arguments}
    )
    await client.until(lambda: engine.running == 1)
    if way == "edited":
        client.change(URI, 2, (range_of(TEXT, "quick"), "slow"))
    elif way == "closed":
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    else:
        client.applied = False
    for _ in engine.tokens:
        engine.gate.release()
    (shown,) = await client.until(lambda: client.notifications["window/showMessage"])
    assert "A short answer." in shown["message"]
    if way != "refused":
        assert not client.requests["workspace/applyEdit"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"task": "dance"}, "There is no task `dance`"),
        (
            {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}},
            "empty",
        ),
        (
            {"range": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}}},
            "empty",
        ),
        ({"textDocument": {"uri": "file:///other"}}, "not open"),
        ({"textDocument": {"uri": URI, "version": 0}}, "changed"),
        ({"model": "/no/such/model"}, "model"),
    ],
)
async def test_what_cannot_run_says_why(client, more, words):
    open_notes(client)
    with pytest.raises(RequestError, match=words) as caught:
        await client.request("transformers/run", params("summarize") | more)
    assert caught.value.data["hint"]
    assert await client.request("transformers/run", params("summarize"))


async def test_a_failure_of_the_engine_is_told(client, engine):
    open_notes(client)
    engine.failure = EngineDiedError("The worker ended.", "Run the task again.")
    with pytest.raises(RequestError, match=r"The worker ended\. Run the task again\."):
        await client.request("transformers/run", params("summarize"))
    await client.request(
        "workspace/executeCommand",
        {"command": "transformers.run", "arguments": [params("summarize")]},
    )
    (shown,) = await client.until(lambda: client.notifications["window/showMessage"])
    assert "The worker ended." in shown["message"]
    engine.failure = None
    assert await client.request("transformers/run", params("summarize"))


async def test_a_base_model_is_asked_with_examples(client, engine, base_model):
    open_notes(client)
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 4, "character": 0}}
    result = await client.request(
        "transformers/run",
        params("translate", model=base_model, targetLanguage="German") | {"range": span},
    )
    # The engine of the tests answers the last row of a batch first.
    prompts = [asked["prompt"] for asked in reversed(engine.asked)]
    assert len(prompts) == 2
    assert all("German:" in prompt for prompt in prompts)
    assert prompts[0].endswith("\nEnglish: Intro.\nGerman:")
    assert prompts[1].endswith(f"\nEnglish: {PART}\nGerman:")
    # Every sentence is put back in its place; what stands between them is kept.
    assert result["text"] == "A short answer.\n\nA short answer.\n\n"


async def test_two_runs_with_one_id(client, engine):
    open_notes(client)
    engine.gate = asyncio.Semaphore(0)
    _, first = client.start("transformers/run", params("summarize", runId="same"))
    await client.until(lambda: engine.running == 1)
    with pytest.raises(RequestError, match="already"):
        await client.request("transformers/run", params("summarize", runId="same"))
    for _ in engine.tokens:
        engine.gate.release()
    assert (await asyncio.wait_for(first, 5))["text"] == "A short answer."


async def test_shutdown_ends_runs(client, engine):
    open_notes(client)
    engine.gate = asyncio.Semaphore(0)
    _, answer = client.start("transformers/run", params("summarize"))
    await client.until(lambda: engine.running == 1)
    await client.request("shutdown")
    with pytest.raises(RequestError):
        await asyncio.wait_for(answer, 5)
    assert engine.running == 0
    assert engine.closed


async def test_the_status_follows_a_run(model, settings, engine):
    from tests.support.session import session
    from transformers_ls.lsp.server import create_server

    server = create_server()
    server.engine = engine
    async with session(server, settings) as client:
        await client.initialize(statusNotifications=True)
        await client.until(lambda: server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        open_notes(client)
        engine.gate = asyncio.Semaphore(0)
        _, answer = client.start("transformers/run", params("summarize", runId="r1"))
        notes = client.notifications["transformers/status"]
        await client.until(lambda: notes and notes[-1]["engine"]["runs"] == ["r1"])
        assert notes[-1]["state"] == "busy"
        for _ in engine.tokens:
            engine.gate.release()
        await answer
        await client.until(lambda: notes[-1]["engine"]["runs"] == [])
        assert notes[-1]["state"] == "ready"
        assert notes[-1]["tokenizers"] == [{"model": model, "state": "ready"}]


async def test_a_selection_longer_than_the_window_is_summarized_in_parts(client, engine):
    text = "\n\n".join(f"Paragraph {n} of a long text." for n in range(2000))
    client.open(URI, text)
    result = await client.request(
        "transformers/run",
        {"task": "summarize", "textDocument": {"uri": URI}, "range": range_of(text, text)},
    )
    assert result["text"] == "A short answer."
    assert engine.batches
    assert result["facts"]["parts"] == sum(engine.batches) + 1
    last = engine.asked[-1]["messages"][-1]["content"]
    assert last.count("A short answer.") == sum(engine.batches)
    stages = [stage["message"] for stage in client.notifications["transformers/run/stage"]]
    assert any(message.startswith("Part 1 of ") for message in stages)


async def test_a_task_of_ones_own_is_offered_and_runs(client, engine, tmp_path):
    (tmp_path / ".transformers" / "tasks").mkdir(parents=True)
    folder = tmp_path / ".transformers" / "tasks"
    (folder / "haiku.toml").write_text(
        'title = "Rewrite as a haiku"\nprompt = "A haiku, please: {{text}}"\nplacement = "replace"'
    )
    (folder / "broken.toml").write_text("prompt = ")
    uri = (tmp_path / "poem.md").as_uri()
    client.open(uri, TEXT)
    listed = await client.request("transformers/tasks", {"textDocument": {"uri": uri}})
    assert listed["tasks"][-1] == {
        "id": "haiku",
        "title": "Rewrite as a haiku",
        "description": "A task of your own.",
        "result": "edit",
        "asks": [],
    }
    assert "broken.toml" in listed["problems"][0]
    span = range_of(TEXT, PART)
    asked = {"textDocument": {"uri": uri}, "range": span, "context": {"diagnostics": []}}
    actions = await client.request("textDocument/codeAction", asked)
    argument = actions[-1]["command"]["arguments"][0]
    assert actions[-1]["title"] == "Rewrite as a haiku"
    result = await client.request("transformers/run", argument)
    assert engine.asked[-1]["messages"][-1]["content"] == f"A haiku, please: {PART}"
    assert apply(TEXT, result["edit"]) == TEXT.replace(PART, "A short answer.")


async def test_a_continuation_goes_on_behind_the_last_word(client, engine):
    open_notes(client)
    result = await client.request("transformers/run", params("continue", PART[:-1]))
    assert apply(TEXT, result["edit"]) == TEXT.replace(PART, f"{PART[:-1]} A short answer..")

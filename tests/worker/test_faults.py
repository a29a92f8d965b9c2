"""Two hundred runs over the real server and worker, each met by something that goes wrong.

Cancelled, edited under, the document closed, the worker or the template sandbox killed, all at
random moments. Every run must end with a result or a clear error, the document must stay as its user
left it, and at the end no process may be left.
"""

import asyncio
import os
import random
import signal
import sys

import pytest

pytest.importorskip("torch", reason="the worker's packages are not installed")
psutil = pytest.importorskip("psutil")

from tests.support.session import RequestError, Session, range_of, session  # noqa: E402
from transformers_ls.lsp.server import create_server  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is what it is about")

RUNS = 200
URI = "file:///faults.md"
PART = "The quick brown fox jumps over the lazy dog. It does so twice."
TEXT = f"Before.\n\n{PART}\n\nAfter.\n"
# A new worker takes seconds, so kills are the rarest.
FAULTS = {"none": 3, "cancel": 6, "cancel by id": 6, "edit": 4, "close": 2, "kill": 1, "sandbox": 1}
CODES = {"cancelled", "engine-died", "engine-unavailable", "template", "template-limit"}


async def test_whatever_goes_wrong_the_next_run_works(llama, monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path))
    chance = random.Random(20261124)
    settings = {
        "tokenizers": [str(llama)],
        "models": {"chat": str(llama), "translation": str(llama)},
        "generation": {"maxNewTokens": 60},
    }
    server = create_server()
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    async with session(server, settings) as client:
        await client.initialize()
        await client.until(lambda: server.configuration.all_tokenizers() == settings["tokenizers"])
        endings = {"done": 0, "failed": 0}
        for number in range(RUNS):
            (fault,) = chance.choices(list(FAULTS), list(FAULTS.values()))
            endings[await _one(client, number, fault, chance)] += 1
        assert endings["done"] > RUNS // 6
        assert endings["failed"] > RUNS // 6
        # And the last one, with nothing in its way.
        assert await _one(client, RUNS, "none", chance) == "done"
        assert server.engine_status().state == "idle"
        assert not server.runs.ids
        assert not client.requests["workspace/applyEdit"]
    left = {child.pid for child in me.children(recursive=True)} - before
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in left], timeout=10)
    assert not alive


async def _one(client: Session, number: int, fault: str, chance: random.Random) -> str:
    """Make one run with one fault; say how it ended."""
    server = client.server
    text = TEXT
    client.open(URI, text, version=10 * number)
    task = chance.choice(["summarize", "translate", "generate"])
    params = {
        "task": task,
        "textDocument": {"uri": URI},
        "range": range_of(text, PART),
        "runId": f"run-{number}",
        "targetLanguage": "German",
    }
    msg_id, answer = client.start("transformers/run", params)
    await asyncio.sleep(chance.choice([0, 0.002, 0.01, 0.05, 0.2]))
    if fault == "cancel":
        client.notify("$/cancelRequest", {"id": msg_id})
    elif fault == "cancel by id":
        await client.request("transformers/cancel", {"runId": f"run-{number}"})
    elif fault == "edit":
        text = text.replace("Before", "Edited before")
        if chance.random() < 0.5:
            text = text.replace("quick", "slow")
        client.change(URI, 10 * number + 1, text)
    elif fault == "close":
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    elif fault in ("kill", "sandbox"):
        pid = server.engine_status().pid if fault == "kill" else server.chats.sandbox_pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    try:
        result = await asyncio.wait_for(answer, 120)
    except RequestError as error:
        # Without a fault of its own a run has no excuse, whatever befell the ones before it.
        assert fault != "none", error
        assert error.data["code"] in CODES, (fault, error)
        result = None
    document = server.documents.get(URI)
    assert (document is None) if fault == "close" else (document.snapshot.text == text)
    if result is None:
        return "failed"
    # An edit is only ever made for the text that stands there now.
    changes = result["edit"]["documentChanges"]
    assert bool(changes) != bool(result.get("conflict"))
    if fault == "edit" and "slow" in text:
        assert not changes or changes[0]["textDocument"]["version"] == 10 * number
    return "done"

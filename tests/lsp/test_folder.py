"""`transformers.countFolder`: the report of a folder, its progress and its cancel."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from tests.lsp.conftest import Session
from tests.support.session import RequestError
from tests.support.tiny_tokenizer import reference_count

TEXTS = {"notes.md": "# Notes\n", "src/a|b`.txt": "The quick brown fox", "src/r.jsonl": '"hello"\n'}


def command(uri: str) -> dict:
    return {"command": "transformers.countFolder", "arguments": [{"uri": uri}]}


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "transformers_ls.folders.child" in child.cmdline()
    ]


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "data"
    for name, text in TEXTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "x.png").write_bytes(b"\0")
    return root


async def test_the_report(client: Session, model, folder):
    answer = await client.request("workspace/executeCommand", command(folder.as_uri()), 60)
    tokens = {name: reference_count(Path(model), text) for name, text in TEXTS.items()}
    assert (answer["files"], answer["tokens"]) == (3, {model: sum(tokens.values())})
    report = answer["markdown"]
    assert report.startswith("# Tokens in data\n")
    assert f"| notes.md | {len(TEXTS['notes.md'])} | {tokens['notes.md']} |" in report
    # A name with marks of Markdown stays one cell.
    assert f"| src/a\\|b\\`.txt | 19 | {tokens['src/a|b`.txt']} |" in report
    assert "## src/r.jsonl: 1 rows" in report
    assert "- x.png is binary" in report
    kinds = [params["value"]["kind"] for params in client.notifications["$/progress"]]
    assert (kinds[0], kinds[-1]) == ("begin", "end")
    assert children() == []


@pytest.mark.parametrize("uri", ["file:///no/such/folder", "untitled:x", "nonsense"])
async def test_what_is_no_folder(client: Session, uri):
    with pytest.raises(RequestError, match="no folder"):
        await client.request("workspace/executeCommand", command(uri))


async def test_cancel_ends_the_process(client: Session, folder):
    (folder / "large.txt").write_text("some text\n" * 5_000_000)
    msg_id, answer = client.start("workspace/executeCommand", command(folder.as_uri()))
    await client.until(children)
    client.notify("$/cancelRequest", {"id": msg_id})
    with pytest.raises(RequestError):
        await asyncio.wait_for(answer, 30)
    await client.until(lambda: not children())


async def test_a_process_that_dies_is_an_answer(client: Session, folder):
    (folder / "large.txt").write_text("some text\n" * 5_000_000)
    _, answer = client.start("workspace/executeCommand", command(folder.as_uri()))
    (child,) = await client.until(children)
    child.kill()
    with pytest.raises(RequestError, match="ended unexpectedly"):
        await asyncio.wait_for(answer, 30)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
async def test_a_closed_folder(client: Session, folder):
    folder.chmod(0)
    try:
        with pytest.raises(RequestError, match="cannot be read"):
            await client.request("workspace/executeCommand", command(folder.as_uri()), 60)
    finally:
        folder.chmod(0o700)

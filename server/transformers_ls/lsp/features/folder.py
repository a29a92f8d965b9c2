"""The command `transformers.countFolder`: a report of the tokens in a folder, as Markdown."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pygls.uris import to_fs_path

from transformers_ls.errors import EngineError, UsageError
from transformers_ls.lsp.messages import FolderParams, FolderReport
from transformers_ls.lsp.progress import WorkDone, work_done
from transformers_ls.paths import cache_dir

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tokens.store import Entry

# A tokenizer that is converted for the first time takes half a minute.
_LOAD_SECONDS = 300.0
# The report comes in one line; a hundred datasets of hundreds of fields make a long one.
_LINE_BYTES = 1 << 26


def register(server: TransformersServer) -> None:
    """Add the command."""

    async def count_folder(params: FolderParams) -> FolderReport:
        path = to_fs_path(params.uri) if params.uri.startswith("file:") else None
        if path is None or not await asyncio.to_thread(Path(path).is_dir):
            raise UsageError("This is no folder on this machine.", "Choose one in the explorer.")
        run_id = f"count/{uuid.uuid4()}"
        return await server.installs.run(run_id, lambda: _count(server, run_id, params.uri, path))

    server.add_command("transformers.countFolder", FolderParams, count_folder)


async def _count(server: TransformersServer, run_id: str, uri: str, path: str) -> FolderReport:
    def cancel() -> None:
        server.installs.cancel(run_id)

    async with work_done(server, "Counting tokens", cancel) as progress:
        names = server.configuration.for_uri(uri).tokenizers
        progress.report("Loading the tokenizers")
        waits = (server.tokenizers.await_ready(name, _LOAD_SECONDS) for name in names)
        entries = await asyncio.gather(*waits)
        ready = [entry for entry in entries if entry.counter is not None]
        if not ready:
            said = "; ".join(f"{entry.model}: {entry.message or entry.state}" for entry in entries)
            raise UsageError(f"No tokenizer can count: {said or 'none is configured'}")
        notes = [
            f"{entry.model} is not counted: {entry.message or entry.state}"
            for entry in entries
            if entry not in ready
        ]
        request = {
            "folder": path,
            "title": f"Tokens in {Path(path).name or path}",
            "notes": notes,
            "models": [_model(entry) for entry in ready],
        }
        return await _ask(request, progress)


def _model(entry: Entry) -> dict[str, Any]:
    return {"name": entry.model, "source": str(entry.folder), "window": entry.window.tokens}


async def _ask(request: dict[str, Any], progress: WorkDone) -> FolderReport:
    """Run the counting process; it ends with this coroutine, whatever ends it."""
    # -P, and a folder of our own: a module in the user's folder must not be run.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "transformers_ls.folders.child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cache_dir(),
        limit=_LINE_BYTES,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        while line := await process.stdout.readline():
            message = json.loads(line)
            if "report" in message:
                return FolderReport(**message["report"])
            if "error" in message:
                raise UsageError(message["error"], message["hint"])
            total = message["total"]
            percent = int(100 * message["done"] / total) if total else None
            said = f"{message['files']:,} files, {message['done'] / 1e6:,.0f} MB"
            progress.report(said, percent)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    raise EngineError("The process that counts ended unexpectedly.", "Try a smaller folder.")

"""The server's commands, which any LSP client can execute."""

from __future__ import annotations

import asyncio
import threading
import uuid
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.errors import RunCancelledError, UsageError
from transformers_ls.lsp.messages import InstallParams
from transformers_ls.lsp.progress import WorkDone, work_done
from transformers_ls.lsp.run_messages import (
    CancelParams,
    CancelResult,
    RunParams,
    RunStarted,
)

if TYPE_CHECKING:
    from transformers_ls.hub.catalogue import EmbeddedModel
    from transformers_ls.lsp.server import TransformersServer

# People take their time with a dialog, above all when it shows a license.
_DIALOG_SECONDS = 600.0
_STAGES = {
    "wait": "Waiting for another installation",
    "download": "Downloading",
    "verify": "Checking",
    "convert": "Converting",
    "prepare": "Preparing for this CPU",
}


def register(server: TransformersServer) -> None:
    """Add the commands."""
    background: set[asyncio.Task[None]] = set()

    async def run(params: RunParams) -> RunStarted:
        from transformers_ls.lsp.command_runs import run_and_show
        from transformers_ls.lsp.selections import select

        # What can be known to be wrong at once is answered as an error of the command.
        selection = await select(server, params)
        run_id = params.run_id or str(uuid.uuid4())
        if run_id in server.runs.ids:
            raise UsageError(f"There is a run with the id {run_id!r} already.")
        task = asyncio.create_task(run_and_show(server, run_id, selection))
        background.add(task)
        task.add_done_callback(background.discard)
        return RunStarted(run_id)

    async def cancel(params: CancelParams) -> CancelResult:
        return CancelResult(server.runs.cancel(params.run_id))

    async def stop_engine() -> None:
        await server.runs.end_all()
        if "engine" in server.__dict__:
            await server.engine.close()

    async def reload_tokenizers() -> None:
        server.tokenizers.reload()
        server.load_tokenizers()
        server.refresher.soon()

    async def install(params: InstallParams) -> dict[str, str]:
        run_id = f"install/{params.model}"
        await server.installs.run(run_id, lambda: _install(server, run_id, params))
        await reload_tokenizers()
        return {"model": params.model}

    server.add_command("transformers.run", RunParams, run)
    server.add_command("transformers.cancel", CancelParams, cancel)
    server.add_command("transformers.stopEngine", None, stop_engine)
    server.add_command("transformers.reloadTokenizers", None, reload_tokenizers)
    server.add_command("transformers.install", InstallParams, install)


async def _install(server: TransformersServer, run_id: str, params: InstallParams) -> None:
    from transformers_ls.hub.catalogue import EMBEDDED
    from transformers_ls.hub.embedded import install
    from transformers_ls.hub.preparation import prepare_for_cpu

    model = EMBEDDED.get(params.model)
    if model is None:
        raise UsageError(
            f"There is no embedded model {params.model!r}.", f"There are: {', '.join(EMBEDDED)}."
        )
    if not params.accept_license and not await _accepts_license(server, model):
        raise RunCancelledError("The license was not accepted, so nothing was fetched.")
    loop = asyncio.get_running_loop()
    cancelled = threading.Event()
    async with work_done(
        server, f"Installing {model.name}", lambda: server.installs.cancel(run_id)
    ) as progress:

        def on_progress(stage: str, done: int, total: int) -> None:
            if cancelled.is_set():
                raise RunCancelledError("The installation was stopped.")
            loop.call_soon_threadsafe(_report, progress, stage, done, total)

        def work() -> None:
            folder = install(model.name, progress=on_progress, accept_license=True)
            if server.configuration.for_uri("").local.cpu_decoder != "torch":
                prepare_for_cpu(folder, on_progress)

        try:
            await asyncio.to_thread(work)
        finally:
            # A thread cannot be cancelled; its next progress report ends it.
            cancelled.set()


def _report(progress: WorkDone, stage: str, done: int, total: int) -> None:
    progress.report(_STAGES.get(stage, stage), int(100 * done / total) if total else None)


async def _accepts_license(server: TransformersServer, model: EmbeddedModel) -> bool:
    if not model.license.must_accept:
        return True
    accept = "Accept and install"
    answer = await server.ask(
        types.WINDOW_SHOW_MESSAGE_REQUEST,
        types.ShowMessageRequestParams(
            types.MessageType.Info,
            f"{model.title} comes under the {model.license.title} ({model.license.url}).",
            [types.MessageActionItem(accept), types.MessageActionItem("Cancel")],
        ),
        seconds=_DIALOG_SECONDS,
    )
    return answer is not None and answer.title == accept

"""Runs of the command `transformers.run`: for clients that know nothing of ours.

They see progress with a cancel button, then one edit, or an answer: as a document where they can show
one, else in a message, with its places as information until the document is edited.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.errors import RunCancelledError, TransformersLsError, describe
from transformers_ls.lsp.progress import work_done
from transformers_ls.lsp.run_messages import ResultDocument, RunResult
from transformers_ls.lsp.selections import Selection
from transformers_ls.lsp.task_runs import run_on_document

if TYPE_CHECKING:
    from transformers_ls.engines.base import Stage
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["run_and_show"]

log = logging.getLogger(__name__)

# A progress line holds the end of the text so far, as much as fits one line.
_TAIL_CHARACTERS = 60
# A text that has no other place is shown in a message, so that it is not lost.
_SHOWN_CHARACTERS = 4000
# People take their time with a dialog.
_DIALOG_SECONDS = 600.0


async def run_and_show(server: TransformersServer, run_id: str, selection: Selection) -> None:
    """Do a run and show what comes of it; errors are shown, too."""
    try:
        result = await server.runs.run(
            run_id, lambda: _run_with_progress(server, run_id, selection)
        )
        if result.document is not None:
            await _show_answer(server, selection, result, result.document)
        else:
            await _apply(server, result)
    except RunCancelledError:
        return
    except TransformersLsError as error:
        server.show(types.MessageType.Error, str(error))
    except Exception as error:  # noqa: BLE001 - nobody awaits this task; the user must still hear.
        log.error("a run failed: %s", describe(error))  # noqa: TRY400 - a traceback may quote the text.
        server.show(
            types.MessageType.Error,
            f"The run failed ({type(error).__name__}); the server log says where.",
        )


async def _run_with_progress(
    server: TransformersServer, run_id: str, selection: Selection
) -> RunResult:
    text: list[str] = []
    async with work_done(server, selection.title, lambda: server.runs.cancel(run_id)) as progress:

        def on_stage(stage: Stage) -> None:
            progress.report(stage.message, stage.percent)

        def on_delta(delta: str) -> None:
            text.append(delta)
            progress.report(" ".join("".join(text[-_TAIL_CHARACTERS:]).split())[-_TAIL_CHARACTERS:])

        return await run_on_document(
            server, run_id, selection, on_delta=on_delta, on_stage=on_stage
        )


async def _apply(server: TransformersServer, result: RunResult) -> None:
    problem = result.conflict
    if problem is None:
        try:
            # Some editors ask the user before they apply an edit.
            answer: types.ApplyWorkspaceEditResult = await server.ask(
                types.WORKSPACE_APPLY_EDIT,
                types.ApplyWorkspaceEditParams(result.edit, label="Transformers"),
                seconds=_DIALOG_SECONDS,
            )
        except Exception as error:  # noqa: BLE001 - whatever the client did, the text is not lost.
            log.warning("the client did not apply an edit: %s", describe(error))
            problem = "The editor did not confirm the edit."
        else:
            if answer.applied:
                return
            reason = answer.failure_reason or "no reason given"
            problem = f"The editor did not take the edit: {reason}."
    server.show(
        types.MessageType.Warning, f"{problem} The result was:\n\n{_shortened(result.text)}"
    )


async def _show_answer(
    server: TransformersServer, selection: Selection, result: RunResult, document: ResultDocument
) -> None:
    now = server.documents.get(selection.document.uri)
    if result.highlights and now is not None and now.version == result.version:
        server.highlights.show(now, result.highlights)
        server.refresher.soon()
    if not await _open(server, document):
        text = f"{document.title}: {_shortened(result.text)}"
        server.show(types.MessageType.Info, text)


async def _open(server: TransformersServer, document: ResultDocument) -> bool:
    """Let the client open a result as a document; False when it cannot, or does not."""
    workspace, window = server.client_capabilities.workspace, server.client_capabilities.window
    reads = workspace is not None and workspace.text_document_content is not None
    opens = window is not None and window.show_document is not None
    if not (reads and opens):
        return False
    uri = server.results.add(document)
    try:
        answer: types.ShowDocumentResult = await server.ask(
            types.WINDOW_SHOW_DOCUMENT, types.ShowDocumentParams(uri, take_focus=True)
        )
    except Exception as error:  # noqa: BLE001 - whatever the client did, the answer is not lost.
        log.warning("the client did not show a result: %s", describe(error))
        return False
    return answer.success


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"

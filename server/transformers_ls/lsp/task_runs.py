"""Runs a task on a selection of an open document, up to the edit or the answer that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.engines.base import StageListener
from transformers_ls.errors import TransformersLsError, UsageError
from transformers_ls.lsp.documents import to_lsp_range
from transformers_ls.lsp.run_messages import RunFactsInfo, RunResult
from transformers_ls.lsp.selections import Selection
from transformers_ls.tasks.choose import choose_model
from transformers_ls.tasks.edits import Replacement, place, relocate
from transformers_ls.tasks.facts import RunFacts
from transformers_ls.tasks.request import Request, make_request
from transformers_ls.tasks.runs import Run, make_run
from transformers_ls.tasks.work import Writing
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["run_on_document"]

DeltaListener = Callable[[str], None]

# A tokenizer that is converted for the first time takes half a minute.
_TOKENIZER_SECONDS = 90.0


async def run_on_document(
    server: TransformersServer,
    run_id: str,
    selection: Selection,
    *,
    on_delta: DeltaListener,
    on_stage: StageListener,
) -> RunResult:
    """Run a task on a selection; return its text with the edit that would place it, or its answer.

    The document itself is not touched. When it was edited meanwhile, the edit is made for where the
    selection stands now; when the selection itself changed, there is no edit but a `conflict`, and
    an answer has no highlights.

    Raises:
        ModelError: The task's model is not here, or cannot do it.
        EngineError: The run failed or was stopped.
    """
    run = make_run(server.engine, await _request(server, selection), on_stage)
    await run.perform(on_delta)
    result = RunResult(
        run_id, run.text, types.WorkspaceEdit(document_changes=[]), _facts(run.facts)
    )
    if selection.task.result == "answer":
        await _set_answer(server, result, selection, run)
    else:
        _set_edit(server, result, selection, run)
    return result


async def _request(server: TransformersServer, selection: Selection) -> Request:
    settings, task = selection.settings, selection.task
    chosen = await asyncio.to_thread(choose_model, task, settings.models, selection.model)
    if chosen.notice:
        server.show_once(types.MessageType.Info, chosen.notice)
    count = None
    if chosen.may_fill(selection.text):
        entry = await server.tokenizers.await_ready(chosen.name, _TOKENIZER_SECONDS)
        count = entry.counter.count if entry.counter else None
    return await asyncio.to_thread(
        make_request,
        task,
        selection.text,
        chosen,
        inputs=selection.inputs,
        settings=settings,
        language_id=selection.document.language_id,
        count=count,
    )


async def _set_answer(
    server: TransformersServer, result: RunResult, selection: Selection, run: Run
) -> None:
    """Make it an answer whose places are those of the document as it is now."""
    from transformers_ls.lsp.answers import answer

    uri, encoding = selection.document.uri, server.documents.encoding
    while True:
        now = server.documents.get(uri)
        result.document, result.highlights = await asyncio.to_thread(
            answer, selection, run, now, encoding
        )
        result.version = now.version if now else None
        if server.documents.get(uri) is now:
            return


def _set_edit(
    server: TransformersServer, result: RunResult, selection: Selection, run: Run
) -> None:
    """Give it the one versioned edit, for the document as it is now, or say why there is none."""
    now = server.documents.get(selection.document.uri)
    if now is None:
        result.conflict = "The document was closed during the run, so nothing was inserted."
        return
    try:
        edit = _replacement(selection, run, now)
    except TransformersLsError as error:
        result.conflict = str(error)
        return
    span = to_lsp_range(now.snapshot, edit.start, edit.end, server.documents.encoding)
    identifier = types.OptionalVersionedTextDocumentIdentifier(now.uri, now.version)
    change = types.TextDocumentEdit(identifier, [types.TextEdit(span, edit.text)])
    result.edit = types.WorkspaceEdit(document_changes=[change])


def _replacement(selection: Selection, run: Run, now: Document) -> Replacement:
    """Return the edit for the document as it is now.

    Raises:
        UsageError: The selection changed, or the answer must not replace it.
        EngineError: The answer cannot be placed.
    """
    work, text = selection.task.work, selection.text
    assert isinstance(work, Writing)
    assert work.placement is not None
    at = relocate(selection.document.snapshot, now.snapshot, selection.start, text)
    if at is None:
        raise UsageError("The selected text changed during the run, so nothing was inserted.")
    if work.placement in ("replace", "docstring") and run.facts.finish_reason == "length":
        limit = selection.settings.generation.max_new_tokens
        raise UsageError(
            f"The answer was cut at {limit:,} tokens (`transformers.generation.maxNewTokens`), so "
            "nothing was replaced."
        )
    end = at + len(text)
    if work.placement == "docstring":
        from transformers_ls.tasks.docstrings import place_docstring

        return place_docstring(now.snapshot, at, end, run.text, now.language_id)
    return place(
        now.snapshot,
        at,
        end,
        run.text,
        work.placement,
        language_id=now.language_id,
        as_comment=work.as_comment,
    )


def _facts(facts: RunFacts) -> RunFactsInfo:
    return RunFactsInfo(
        model=facts.model,
        destination=facts.destination,
        prompt_tokens=facts.prompt_tokens,
        completion_tokens=facts.completion_tokens,
        time_to_first_token=round(facts.time_to_first_token, 4),
        seconds=round(facts.seconds, 4),
        tokens_per_second=round(facts.tokens_per_second, 2),
        finish_reason=facts.finish_reason,
        parts=facts.parts,
        kept=facts.kept,
        device=facts.device,
        dtype=facts.dtype,
        memory_bytes=facts.memory_bytes,
        load_seconds=round(facts.load_seconds, 4),
        reused_tokens=facts.reused_tokens,
        accepted_tokens=facts.accepted_tokens,
    )

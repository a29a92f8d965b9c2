"""Runs a task on a range of an open document, from the selection to the edit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.engines.base import StageListener
from transformers_ls.errors import UsageError
from transformers_ls.lsp.documents import from_lsp_range, to_lsp_range
from transformers_ls.lsp.messages import RunFactsInfo, RunParams, RunResult
from transformers_ls.lsp.own_tasks import tasks_for
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Task, get_task
from transformers_ls.tasks.choose import choose_model
from transformers_ls.tasks.edits import place, relocate
from transformers_ls.tasks.request import RunFacts, TaskRequest
from transformers_ls.tasks.runner import TaskRun
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Selection", "run_on_document", "select"]

DeltaListener = Callable[[str], None]

# A tokenizer that is converted for the first time takes half a minute.
_TOKENIZER_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Selection:
    """What a task was asked for, taken before anything is awaited: the document may change."""

    document: Document
    task: Task
    start: int
    """Where the text starts in the document, in code points."""
    text: str
    settings: Settings
    params: RunParams


async def select(server: TransformersServer, params: RunParams) -> Selection:
    """Take the selection of a run out of its document.

    Raises:
        UsageError: No such document or task, a stale version, or an empty selection.
    """
    document = server.document(params.text_document.uri)
    asked = getattr(params.text_document, "version", None)
    if asked is not None and document.version is not None and asked != document.version:
        raise UsageError("The document changed since the task was asked for.", "Ask again.")
    span = from_lsp_range(params.range)
    snapshot, encoding = document.snapshot, server.documents.encoding
    start, end = snapshot.offset_at(span.start, encoding), snapshot.offset_at(span.end, encoding)
    text = snapshot.slice(start, end)
    if not text.strip():
        raise UsageError("The selection is empty.", "Select the text to work on first.")
    settings = server.configuration.for_uri(document.uri)
    task = get_task(params.task, (await tasks_for(document.uri)).tasks)
    return Selection(document, task, start, text, settings, params)


async def run_on_document(
    server: TransformersServer,
    run_id: str,
    selection: Selection,
    *,
    on_delta: DeltaListener,
    on_stage: StageListener,
) -> RunResult:
    """Run a task on a selection and return its text with the edit that would place it.

    The document itself is not touched. When it was edited meanwhile, the edit is made for where the
    selection stands now; when the selection itself changed, there is no edit but a `conflict`.

    Raises:
        ModelError: The task's model is not here, or cannot do it.
        EngineError: The run failed or was stopped.
    """
    run = TaskRun(server.engine, await _request(server, selection), on_stage)
    async with aclosing(run.deltas()) as deltas:
        async for delta in deltas:
            on_delta(delta)
    edit, conflict = _edit(server, selection, run)
    return RunResult(run_id, run.text, edit, _facts(run.facts), conflict)


async def _request(server: TransformersServer, selection: Selection) -> TaskRequest:
    params, settings, task = selection.params, selection.settings, selection.task
    chosen = await asyncio.to_thread(choose_model, task, settings.models, params.model)
    count = None
    if chosen.may_fill(selection.text):
        entry = await server.tokenizers.await_ready(chosen.name, _TOKENIZER_SECONDS)
        count = entry.counter.count if entry.counter else None
    return TaskRequest(
        task=task,
        text=selection.text,
        model=chosen.name,
        kind=chosen.kind,
        target_language=params.target_language or settings.translation.target_language,
        source_language=settings.translation.source_language,
        max_new_tokens=settings.generation.max_new_tokens,
        temperature=settings.generation.temperature,
        window=chosen.window,
        count=count,
    )


def _edit(
    server: TransformersServer, selection: Selection, run: TaskRun
) -> tuple[types.WorkspaceEdit, str | None]:
    """Build the one versioned edit, for the document as it is now."""
    nothing = types.WorkspaceEdit(document_changes=[])
    task, before = selection.task, selection.document
    now = server.documents.get(before.uri)
    if now is None:
        return nothing, "The document was closed during the run, so nothing was inserted."
    at = relocate(before.snapshot, now.snapshot, selection.start, selection.text)
    if at is None:
        return nothing, "The selected text changed during the run, so nothing was inserted."
    if task.placement == "replace" and run.facts.finish_reason == "length":
        return nothing, (
            f"The answer was cut at {run.request.max_new_tokens:,} tokens "
            "(`transformers.generation.maxNewTokens`), so nothing was replaced."
        )
    replacement = place(
        now.snapshot,
        at,
        at + len(selection.text),
        run.text,
        task.placement,
        language_id=now.language_id,
        as_comment=task.as_comment,
    )
    span = to_lsp_range(now.snapshot, replacement.start, replacement.end, server.documents.encoding)
    identifier = types.OptionalVersionedTextDocumentIdentifier(now.uri, now.version)
    change = types.TextDocumentEdit(identifier, [types.TextEdit(span, replacement.text)])
    return types.WorkspaceEdit(document_changes=[change]), None


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
    )

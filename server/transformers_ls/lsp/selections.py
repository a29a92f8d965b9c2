"""What a task was asked for, taken out of its document before anything is awaited."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.errors import UsageError
from transformers_ls.lsp.documents import from_lsp_range
from transformers_ls.lsp.own_tasks import tasks_for
from transformers_ls.lsp.run_messages import RunParams
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Inputs, Task, get_task
from transformers_ls.tasks.work import Writing
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Selection", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """A task and its text; the document is as it was then, and may change meanwhile."""

    document: Document
    task: Task
    start: int
    """Where the text starts in the document, in code points."""
    text: str
    inputs: Inputs
    settings: Settings
    model: str | None
    """The model named for this run only."""

    @property
    def title(self) -> str:
        """What is done, without what the title of a code action leaves open."""
        return self.task.title.removesuffix(" to").removesuffix("…")


async def select(server: TransformersServer, params: RunParams) -> Selection:
    """Take the selection of a run out of its document.

    Raises:
        UsageError: No such document or task, a stale version, an empty selection, or something that
            the task asks for was not said.
    """
    document = server.document(params.text_document.uri)
    asked = getattr(params.text_document, "version", None)
    if asked is not None and document.version is not None and asked != document.version:
        raise UsageError("The document changed since the task was asked for.", "Ask again.")
    settings = server.configuration.for_uri(document.uri)
    start, end = _offsets(server, document, params.range)
    task = get_task(params.task, (await tasks_for(document.uri)).tasks)
    text = document.snapshot.slice(start, end)
    if isinstance(task.work, Writing) and task.work.placement == "docstring":
        start, text = await asyncio.to_thread(_documented, document, start, end)
    if not text.strip():
        raise UsageError("The selection is empty.", "Select the text to work on first.")
    other = ""
    if params.other_range is not None:
        other = document.snapshot.slice(*_offsets(server, document, params.other_range))
    inputs = Inputs(
        language=params.target_language or "",
        question=params.question or "",
        labels=tuple(params.labels or ()),
        other=other,
    )
    task.check(inputs)
    return Selection(document, task, start, text, inputs, settings, params.model)


def _offsets(server: TransformersServer, document: Document, place: types.Range) -> tuple[int, int]:
    span, encoding = from_lsp_range(place), server.documents.encoding
    snapshot = document.snapshot
    return snapshot.offset_at(span.start, encoding), snapshot.offset_at(span.end, encoding)


def _documented(document: Document, start: int, end: int) -> tuple[int, str]:
    """Return the code that a docstring is asked for; a cursor in it is enough."""
    from transformers_ls.tasks.docstrings import documented_span

    text = document.snapshot.text
    start, end = documented_span(text, start, end, document.language_id)
    return start, text[start:end]

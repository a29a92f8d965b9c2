"""What is wrong with the chats of open documents, found once per version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from transformers_ls.errors import ModelError
from transformers_ls.lsp.templates import is_template
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.problems import Problem
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.snapshot import Snapshot

__all__ = ["Diagnoses", "Diagnosis"]

# Each chat is rendered about twice a turn; a dataset is the business of `transformers-ls check`.
_CHATS_AT_MOST = 64


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The problems of one version of a document."""

    result_id: str
    problems: Sequence[Problem] = ()


@dataclass(slots=True)
class _Kept:
    snapshot: Snapshot
    model: str
    specials: frozenset[str]
    task: asyncio.Task[list[Problem]]
    result_id: str = field(default="")


class Diagnoses:
    """Checks chats against the template of the model that would answer them."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._kept: dict[str, _Kept] = {}
        self._ids = count(1)

    async def of(self, document: Document) -> Diagnosis:
        """Return the problems of a document; none where no configured model has a template."""
        if is_template(document):
            return Diagnosis(*await self._server.templates.problems(document))
        try:
            model, template = await self._server.chats.template(document, None)
        except ModelError:
            return Diagnosis("no-template")
        counter = self._server.tokenizers.get(model).counter
        specials = counter.special_tokens if counter else frozenset()
        kept = self._kept.get(document.uri)
        if kept is None or (kept.snapshot, kept.model, kept.specials) != (
            document.snapshot,
            model,
            specials,
        ):
            task = asyncio.create_task(
                self._server.chats.problems(document, template, specials, at_most=_CHATS_AT_MOST)
            )
            kept = _Kept(document.snapshot, model, specials, task, str(next(self._ids)))
            now = self._server.documents.get(document.uri)
            # An older request may get here after a newer one; its answer must not be kept.
            if now is not None and now.snapshot is document.snapshot:
                self._keep(document.uri, kept)
        # Shielded: a diagnostics request that is cancelled must not undo the work of another one.
        return Diagnosis(kept.result_id, await asyncio.shield(kept.task))

    def _keep(self, uri: str, kept: _Kept) -> None:
        """Keep an answer for the next request, unless it turns out to be a failure."""

        def done(task: asyncio.Task[list[Problem]]) -> None:
            failed = task.cancelled() or task.exception() is not None
            if failed and self._kept.get(uri) is kept:
                del self._kept[uri]

        self._kept[uri] = kept
        kept.task.add_done_callback(done)

    def forget(self, uri: str) -> None:
        """Drop what was found in a document that was closed."""
        self._kept.pop(uri, None)

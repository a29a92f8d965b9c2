"""What is wrong with open documents, found once per version: chats, texts, templates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from transformers_ls.errors import ModelError
from transformers_ls.lsp.templates import is_template
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.problems import Problem
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Diagnoses", "Diagnosis"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The problems of one version of a document, in document order."""

    result_id: str
    problems: Sequence[Problem] = ()


@dataclass(slots=True)
class _Kept:
    key: tuple[Any, ...]
    task: asyncio.Task[list[Problem]]
    result_id: str


class Diagnoses:
    """Checks chats against their model's template, and texts against budgets and tokenizers."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._ids = count(1)

    async def of(self, document: Document) -> Diagnosis:
        """Return the problems of a document."""
        disabled = self._server.configuration.for_uri(document.uri).diagnostics.disabled
        first, texts = await asyncio.gather(
            self._template(document) if is_template(document) else self._chats(document),
            self._texts(document),
        )
        problems = [
            problem
            for problem in (*first.problems, *texts.problems)
            if problem.code not in disabled
        ]
        problems.sort(key=lambda problem: (problem.start, problem.end))
        # The second part changes with the settings, and so with what is left out here.
        return Diagnosis(f"{first.result_id}/{texts.result_id}", problems)

    async def _template(self, document: Document) -> Diagnosis:
        return Diagnosis(*await self._server.templates.problems(document))

    async def _chats(self, document: Document) -> Diagnosis:
        """Return the problems of chats; none where no configured model has a template."""
        try:
            model, template = await self._server.chats.template(document, None)
        except ModelError:
            return Diagnosis("no-template")
        checked = await self._server.chats.checks.of(document, model, template)
        return Diagnosis(checked.result_id, checked.problems)

    async def _texts(self, document: Document) -> Diagnosis:
        """Return the problems of texts: budgets, special tokens, hidden characters."""
        from transformers_ls.lsp.text_problems import text_problems

        settings = self._server.configuration.for_uri(document.uri)
        entries = [self._server.tokenizers.get(model) for model in settings.tokenizers]
        return await self._once(
            "texts",
            document,
            (document.snapshot, settings, *(entry.counter for entry in entries)),
            lambda: text_problems(self._server, document, settings, entries),
        )

    async def _once(
        self,
        part: str,
        document: Document,
        key: tuple[Any, ...],
        find: Callable[[], Coroutine[Any, Any, list[Problem]]],
    ) -> Diagnosis:
        kept = self._kept.get((document.uri, part))
        if kept is None or kept.key != key:
            kept = _Kept(key, asyncio.create_task(find()), str(next(self._ids)))
            now = self._server.documents.get(document.uri)
            # An older request may get here after a newer one; its answer must not be kept.
            if now is not None and now.snapshot is document.snapshot:
                self._keep((document.uri, part), kept)
        # Shielded: a diagnostics request that is cancelled must not undo the work of another one.
        return Diagnosis(kept.result_id, await asyncio.shield(kept.task))

    def _keep(self, place: tuple[str, str], kept: _Kept) -> None:
        """Keep an answer for the next request, unless it turns out to be a failure."""

        def done(task: asyncio.Task[list[Problem]]) -> None:
            failed = task.cancelled() or task.exception() is not None
            if failed and self._kept.get(place) is kept:
                del self._kept[place]

        self._kept[place] = kept
        kept.task.add_done_callback(done)

    def forget(self, uri: str) -> None:
        """Drop what was found in a document that was closed."""
        if "chats" in self._server.__dict__:  # Otherwise nothing was checked in this session.
            self._server.chats.checks.forget(uri)
        self._kept.pop((uri, "texts"), None)

"""Checks the chats of open documents in the background, datasets of 100,000 lines too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

from transformers_ls.chat.checking import (
    ChatChecker,
    CheckContext,
    CheckProgress,
)
from transformers_ls.chat.conversation import LINE_LANGUAGES, Conversation, find_conversations
from transformers_ls.chat.documents import no_generation_tags, template_differs
from transformers_ls.chat.problems import Problem
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate
from transformers_ls.chat.window import window_limit
from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.progress import work_done
from transformers_ls.lsp.template_choice import base_of
from transformers_ls.text.document import Document
from transformers_ls.text.rows import rows_of
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.tokens.window import chosen_window

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["ChatChecks", "Checked"]

_FIRST_ROWS: Final = 16
_LARGE_ROWS: Final = 500
_PATIENCE_SECONDS: Final = 1.0
"""A request waits so long for all problems of a document of many rows; after that it gets those
found until now, and a refresh when there are more."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The problems of a document until now, and an id that changes with them."""

    result_id: str
    problems: Sequence[Problem] = ()


@dataclass(slots=True)
class _Running:
    key: tuple[Any, ...]
    latest: Checked
    task: asyncio.Task[None] = field(init=False)
    awaited: bool = False
    """Whether somebody was told less than there will be."""


class ChatChecks:
    """Runs one check for each open document; a newer version ends the check of an older one."""

    def __init__(self, server: TransformersServer, sandbox: Sandbox) -> None:
        self._server = server
        self._checker = ChatChecker(sandbox)
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = count(1)

    async def of(self, document: Document, model: str, template: ChatTemplate) -> Checked:
        """Return the problems of a document's chats: all, or those found within a second or so.

        Raises:
            TransformersLsError: The chats could not be checked at all.
        """
        key = (document.snapshot, model, template, self._server.tokenizers.get(model).counter)
        running = self._running.get(document.uri)
        if running is None or running.key != key:
            running = self._start(key, document, model, template)
            now = self._server.documents.get(document.uri)
            # An older request may get here after a newer one; its check must not replace that one.
            if now is not None and now.snapshot is document.snapshot:
                self.forget(document.uri)
                self._running[document.uri] = running
        large = document.snapshot.line_count - 1 > _LARGE_ROWS
        patience = _PATIENCE_SECONDS if large and self._can_refresh() else None
        # Not the task itself: a request that is cancelled must not undo the work of another one.
        done, _ = await asyncio.wait([running.task], timeout=patience)
        running.awaited = not done
        if done and not running.task.cancelled() and (error := running.task.exception()):
            if self._running.get(document.uri) is running:
                del self._running[document.uri]
            raise error
        return running.latest

    def _start(
        self, key: tuple[Any, ...], document: Document, model: str, template: ChatTemplate
    ) -> _Running:
        running = _Running(key, Checked(str(next(self._ids))))
        running.task = asyncio.create_task(self._run(running, document, model, template))
        self._tasks.add(running.task)
        running.task.add_done_callback(self._tasks.discard)
        # Who waits for it hears of a failure; when nobody does any more, nobody need.
        running.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return running

    def forget(self, uri: str) -> None:
        """Stop checking a document, and drop what was found in it."""
        running = self._running.pop(uri, None)
        if running is not None:
            running.task.cancel()

    async def close(self) -> None:
        """Stop all checks."""
        self._running.clear()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def progress(
        self, document: Document, model: str, template: ChatTemplate
    ) -> AsyncGenerator[CheckProgress]:
        """Check a document, with lengths once the tokenizer is there; see `ChatChecker.check`."""
        language, snapshot = language_of(document), document.snapshot
        settings = self._server.configuration.for_uri(document.uri)
        entry = self._server.tokenizers.get(model)
        counter = entry.counter
        window = chosen_window(entry.window, model, settings.context_windows).tokens
        context = CheckContext(
            template,
            counter.special_tokens if counter else frozenset(),
            window_limit(window) if counter and window else None,
            model if counter else "",
        )
        count_many = counter.count_many if counter else None
        whole = await _of_the_whole(language, snapshot, model, template)
        checks = self._checker.check(language, snapshot, context, count_many)
        async with aclosing(checks):
            async for progress in checks:
                problems = sorted((*whole, *progress.problems), key=lambda p: (p.start, p.end))
                yield replace(progress, problems=tuple(problems))

    async def _run(
        self, running: _Running, document: Document, model: str, template: ChatTemplate
    ) -> None:
        stopped = asyncio.Event()
        async with (
            AsyncExitStack() as stack,
            aclosing(self.progress(document, model, template)) as steps,
        ):
            shown = None
            async for step in steps:
                running.latest = Checked(str(next(self._ids)), step.problems)
                if stopped.is_set():
                    break
                if step.done < step.total:
                    if shown is None:
                        title = f"Checking {step.total:,} rows"
                        bar = work_done(self._server, title, stopped.set)
                        shown = await stack.enter_async_context(bar)
                    words = f"{step.done:,} rows, {len(step.problems):,} problems"
                    shown.report(words, 100 * step.done // step.total)
        if running.awaited:
            self._server.refresher.soon()

    def _can_refresh(self) -> bool:
        """Whether a client that got some problems will ask again, or is sent the rest."""
        capabilities = self._server.client_capabilities
        if capabilities.text_document is None or capabilities.text_document.diagnostic is None:
            return True  # Problems are pushed to it.
        diagnostics = capabilities.workspace and capabilities.workspace.diagnostics
        return bool(diagnostics and diagnostics.refresh_support)


async def _of_the_whole(
    language: str, snapshot: Snapshot, model: str, template: ChatTemplate
) -> list[Problem]:
    """Return the problems that are told once for a document."""
    conversations = await asyncio.to_thread(_first_chats, language, snapshot)
    found = no_generation_tags(conversations, template)
    base = await asyncio.to_thread(base_of, model)
    if base is not None:
        found += template_differs(conversations, template, *base)
    return found


def _first_chats(language: str, snapshot: Snapshot) -> list[Conversation]:
    """Return the chats of a document; of a dataset, the first ones tell what it is for."""
    if language not in LINE_LANGUAGES:
        return find_conversations(language, snapshot.text)
    return find_conversations(language, "\n".join(islice(rows_of(snapshot), _FIRST_ROWS)))

"""Pushes diagnostics to clients that cannot pull them (`textDocument/publishDiagnostics`)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.errors import describe

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Publisher"]

log = logging.getLogger(__name__)

# Nobody reads problems while typing, and a chat is rendered to find them.
_DEBOUNCE_SECONDS = 0.3


class Publisher:
    """Sends the problems of open documents some time after they have changed.

    Does nothing for clients that pull: they would show everything twice.
    """

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sent: dict[str, str] = {}

    def soon(self, uri: str) -> None:
        """Publish after a while; one that was closed is cleared at once. Call it on the loop."""
        if not self._wanted():
            return
        self._stop(uri)
        if self._server.documents.get(uri) is None:
            if self._sent.pop(uri, None) is not None:
                self._send(types.PublishDiagnosticsParams(uri, []))
            return
        loop = asyncio.get_running_loop()
        self._timers[uri] = loop.call_later(_DEBOUNCE_SECONDS, self._start, uri)

    def soon_all(self) -> None:
        """Publish for every open document: a tokenizer or a setting has changed."""
        for document in self._server.documents:
            self.soon(document.uri)

    def close(self) -> None:
        """Send nothing more."""
        for uri in [*self._timers, *self._tasks]:
            self._stop(uri)

    def _wanted(self) -> bool:
        client = self._server.client_capabilities.text_document
        return (
            client is not None
            and client.diagnostic is None
            and (client.publish_diagnostics is not None)
        )

    def _stop(self, uri: str) -> None:
        if (timer := self._timers.pop(uri, None)) is not None:
            timer.cancel()
        if (task := self._tasks.pop(uri, None)) is not None:
            task.cancel()

    def _start(self, uri: str) -> None:
        self._timers.pop(uri, None)
        task = self._tasks[uri] = asyncio.create_task(self._publish(uri))

        def done(task: asyncio.Task[None]) -> None:
            if self._tasks.get(uri) is task:
                del self._tasks[uri]
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("diagnostics were not published: %s", describe(error))

        task.add_done_callback(done)

    async def _publish(self, uri: str) -> None:
        from transformers_ls.lsp.features.diagnostic import diagnostics_of

        document = self._server.documents.get(uri)
        if document is None:
            return
        result_id, items = await diagnostics_of(self._server, document)
        now = self._server.documents.get(uri)
        # A change meanwhile has stopped this task, as a rule; what is sent is for one version.
        if (
            now is not None
            and now.snapshot is document.snapshot
            and self._sent.get(uri) != result_id
        ):
            self._sent[uri] = result_id
            self._send(types.PublishDiagnosticsParams(uri, items, version=document.version))

    def _send(self, params: types.PublishDiagnosticsParams) -> None:
        self._server.text_document_publish_diagnostics(params)

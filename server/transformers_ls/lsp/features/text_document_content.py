"""`workspace/textDocumentContent`: virtual documents, for any editor with LSP 3.18.

They are the results of tasks (`transformers-result:`), and rendered prompts. The address of a prompt says which chat it renders and how: `transformers-prompt:/NAME?QUERY`,
where QUERY is the parameters of `transformers/render` as percent-encoded JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lsprotocol import types

from transformers_ls.errors import UsageError
from transformers_ls.lsp.features.render import render_chat
from transformers_ls.lsp.messages import RenderParams
from transformers_ls.lsp.run_messages import RESULT_SCHEME

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["register"]

_DEBOUNCE_SECONDS = 0.05
# The protocol does not say when the client closes such a document, so the oldest are forgotten.
_KEPT = 32

log = logging.getLogger(__name__)


def register(server: TransformersServer) -> None:
    """Add the handler, and tell the client when a prompt that it was given is out of date."""
    prompts = _Prompts(server)

    @server.feature(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)
    async def on_content(
        params: types.TextDocumentContentParams,
    ) -> types.TextDocumentContentResult:
        if params.uri.startswith(f"{RESULT_SCHEME}:"):
            return types.TextDocumentContentResult(server.results.text(params.uri))
        wanted = _params_of(server, params.uri)
        prompts.add(params.uri, wanted.text_document.uri)
        document = server.document(wanted.text_document.uri)
        chat = await render_chat(server, document, wanted)
        return types.TextDocumentContentResult(chat.text)

    server.documents.on_change.append(prompts.source_changed)


def _params_of(server: TransformersServer, uri: str) -> RenderParams:
    try:
        value = json.loads(unquote(urlsplit(uri).query))
        params: RenderParams = server.protocol._converter.structure(value, RenderParams)  # noqa: SLF001 - pygls has no public way.
    except Exception:  # noqa: BLE001 - json and cattrs raise many kinds, all of them the client's.
        raise UsageError(
            "This is not the address of a prompt.",
            "Its query is the parameters of `transformers/render` as percent-encoded JSON.",
        ) from None
    return params


class _Prompts:
    """The prompts that the client was given, by address, and the documents that they are of."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._sources: dict[str, str] = {}
        self._changed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, uri: str, source: str) -> None:
        self._sources.pop(uri, None)
        self._sources[uri] = source
        while len(self._sources) > _KEPT:
            del self._sources[next(iter(self._sources))]

    def source_changed(self, source: str) -> None:
        """Ask the client to read the prompts of a document again, a little later and once."""
        if source in self._sources.values():
            self._changed.add(source)
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(_DEBOUNCE_SECONDS, self._fire)

    def _fire(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, set()
        for uri in [uri for uri, source in self._sources.items() if source in changed]:
            task = asyncio.create_task(self._refresh(uri))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _refresh(self, uri: str) -> None:
        params = types.TextDocumentContentRefreshParams(uri)
        try:
            await self._server.ask(types.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, params)
        except Exception as error:  # noqa: BLE001 - the next refresh may succeed.
            log.info("the client did not refresh a prompt: %s", type(error).__name__)

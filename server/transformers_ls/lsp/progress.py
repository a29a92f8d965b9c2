"""Work-done progress in the client's user interface, with a cancel button."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["WorkDone", "work_done"]

# Editors redraw for each report; more than ten a second only costs.
_INTERVAL_SECONDS = 0.1


class WorkDone:
    """One progress item; silent when the client cannot show any."""

    def __init__(self, server: TransformersServer, token: str | None) -> None:
        self._server = server
        self._token = token
        self._last = 0.0

    def report(self, message: str, percent: int | None = None) -> None:
        """Show a line of text, and a bar when the percentage is known."""
        now = time.monotonic()
        if self._token is None or now - self._last < _INTERVAL_SECONDS:
            return
        self._last = now
        self._server.work_done_progress.report(
            self._token, types.WorkDoneProgressReport(message=message, percentage=percent)
        )


@asynccontextmanager
async def work_done(
    server: TransformersServer, title: str, on_cancel: Callable[[], object]
) -> AsyncIterator[WorkDone]:
    """Show progress around a piece of work.

    Args:
        server: The server whose client shows it.
        title: What is being done.
        on_cancel: Called once when the user presses cancel.
    """
    window = server.client_capabilities.window
    if not (window and window.work_done_progress):
        yield WorkDone(server, None)
        return
    token = f"transformers-ls/{uuid.uuid4()}"
    progress = server.work_done_progress
    try:
        await server.ask(
            types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token)
        )
    except Exception:  # noqa: BLE001 - a client that shows no progress still gets the work done.
        yield WorkDone(server, None)
        return
    progress.begin(
        token, types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=None)
    )
    loop = asyncio.get_running_loop()
    ended = False

    def cancelled(_: object) -> None:
        if not ended:
            loop.call_soon_threadsafe(on_cancel)

    progress.tokens[token].add_done_callback(cancelled)
    try:
        yield WorkDone(server, token)
    finally:
        ended = True
        progress.end(token, types.WorkDoneProgressEnd())
        # pygls keeps every token for ever (its issue 607).
        progress.tokens.pop(token, None)

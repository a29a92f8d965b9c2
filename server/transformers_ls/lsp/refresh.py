"""Tells the client, once and a little later, that what it shows is out of date."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Refresher"]

log = logging.getLogger(__name__)

# A refresh makes the client ask again for all its open documents, so several reasons share one.
_DEBOUNCE_SECONDS = 0.05


class Refresher:
    """Debounced refresh requests for inlay hints, code lenses and diagnostics."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self) -> None:
        """Refresh after a short while; calls in between are one. Must be called on the loop."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DEBOUNCE_SECONDS, self._fire)

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._server.publisher.soon_all()
        workspace = self._server.client_capabilities.workspace
        if workspace is None:
            return
        hints, lenses, problems = workspace.inlay_hint, workspace.code_lens, workspace.diagnostics
        for supported, method in (
            (hints and hints.refresh_support, types.WORKSPACE_INLAY_HINT_REFRESH),
            (lenses and lenses.refresh_support, types.WORKSPACE_CODE_LENS_REFRESH),
            (problems and problems.refresh_support, types.WORKSPACE_DIAGNOSTIC_REFRESH),
        ):
            if supported:
                task = asyncio.create_task(self._ask(method))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _ask(self, method: str) -> None:
        try:
            await self._server.ask(method, None)
        except Exception as error:  # noqa: BLE001 - the next refresh may succeed.
            log.info("the client did not refresh (%s): %s", method, type(error).__name__)

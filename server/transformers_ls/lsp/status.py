"""The server's state in one value, for a client's status item."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

from transformers_ls.lsp.messages import STATUS, EngineInfo, Status, TokenizerInfo

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["StatusReporter"]

_DEBOUNCE_SECONDS = 0.02


class StatusReporter:
    """Builds the status, and sends it to clients that asked for it whenever it changed."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._timer: asyncio.TimerHandle | None = None
        self._sent: object = None
        self.enabled = False

    def now(self) -> Status:
        """Return the state of the tokenizers and of the engine."""
        server = self._server
        tokenizers = [
            TokenizerInfo(model, entry.state, entry.message or None)
            for model in server.configuration.all_tokenizers()
            for entry in [server.tokenizers.get(model)]
        ]
        engine = server.engine_status()
        info = EngineInfo(
            kind=engine.kind,
            state=engine.state,
            runs=server.runs.ids,
            pid=engine.pid,
            device=engine.device,
            dtype=engine.dtype,
            model=engine.model,
        )
        failed = [item for item in tokenizers if item.state == "failed"]
        if engine.state == "failed":
            state, message = "error", engine.message
        elif server.runs.ids:
            state, message = "busy", f"Running on {engine.destination}"
        elif any(item.state == "loading" for item in tokenizers):
            state, message = "busy", "Loading tokenizers"
        elif failed:
            state, message = "error", failed[0].message or f"{failed[0].model} failed to load"
        else:
            state, message = "ready", ", ".join(item.model for item in tokenizers)
        return Status(state, message, tokenizers, info)

    def soon(self) -> None:
        """Send the state after a short while, if it changed. Must be called on the loop."""
        if self.enabled and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_DEBOUNCE_SECONDS, self._fire)

    def close(self) -> None:
        """Send nothing more."""
        self.enabled = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        status = attrs.asdict(now := self.now())
        if status != self._sent:
            self._sent = status
            self._server.protocol.notify(STATUS, now)

"""`transformers/status`: the server's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers_ls.lsp.messages import STATUS, Status

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the handler of `transformers/status`."""

    @server.feature(STATUS)
    async def on_status(_: Any) -> Status:
        return server.status.now()

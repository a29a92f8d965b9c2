"""`initialize`, `initialized`, and the settings' changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the life cycle's handlers."""

    @server.feature(types.INITIALIZE)
    def on_initialize(params: types.InitializeParams) -> None:
        options = params.initialization_options
        server.configuration.initialize(options)
        server.status.enabled = isinstance(options, dict) and bool(
            options.get("statusNotifications")
        )

    @server.feature(types.INITIALIZED)
    async def on_initialized(_: types.InitializedParams) -> None:
        await server.start_session()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def on_configuration(params: types.DidChangeConfigurationParams) -> None:
        server.configuration.pushed(params.settings)
        await server.configuration.pull()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def on_folders(_: types.DidChangeWorkspaceFoldersParams) -> None:
        await server.configuration.pull()

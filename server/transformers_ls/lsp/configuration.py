"""The client's settings: pulled with `workspace/configuration`, or pushed by clients that cannot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from transformers_ls.settings import SECTION, Settings
from transformers_ls.settings_reading import parse_settings

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Configuration"]

log = logging.getLogger(__name__)


class Configuration:
    """Settings for each workspace folder, and for documents outside of all."""

    def __init__(self, server: TransformersServer, on_change: Callable[[], None]) -> None:
        self._server = server
        self._on_change = on_change
        self._initial: Any = None
        self._settings: dict[str, Settings] = {"": Settings()}
        self._told: set[str] = set()

    def for_uri(self, uri: str) -> Settings:
        """Return the settings of the innermost workspace folder that holds a document."""
        inside = [
            folder
            for folder in self._settings
            if not folder or uri == folder or uri.startswith(folder.rstrip("/") + "/")
        ]
        return self._settings[max(inside, key=len)]

    def all_tokenizers(self) -> list[str]:
        """Return every configured tokenizer once, in order."""
        names = [name for settings in self._settings.values() for name in settings.tokenizers]
        return list(dict.fromkeys(names))

    def initialize(self, options: Any) -> None:
        """Take the settings of `initializationOptions`, which count until the client is asked."""
        if isinstance(options, dict):
            self._initial = options.get(SECTION, options)
            self._set({"": self._initial})

    async def register(self) -> None:
        """Ask the client to say when settings change, then read them."""
        workspace = self._server.client_capabilities.workspace
        watch = workspace and workspace.did_change_configuration
        if watch and watch.dynamic_registration:
            registration = types.Registration(
                id="transformers-ls/configuration",
                method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
                register_options=types.DidChangeConfigurationRegistrationOptions(section=SECTION),
            )
            try:
                await self._server.ask(
                    types.CLIENT_REGISTER_CAPABILITY, types.RegistrationParams([registration])
                )
            except Exception as error:  # noqa: BLE001 - a client that refuses still has settings.
                log.warning("the client does not tell of new settings: %s", type(error).__name__)
        await self.pull()

    async def pull(self) -> None:
        """Ask the client for the settings of every folder; keep what we have when it cannot say."""
        workspace = self._server.client_capabilities.workspace
        if not (workspace and workspace.configuration):
            return
        folders = ["", *self._server.workspace.folders]
        items = [types.ConfigurationItem(folder or None, SECTION) for folder in folders]
        try:
            answers = await self._server.ask(
                types.WORKSPACE_CONFIGURATION, types.ConfigurationParams(items)
            )
        except Exception as error:  # noqa: BLE001 - a client's failure is not ours.
            log.warning("the client did not say its settings: %s", type(error).__name__)
            return
        values = [_merge(self._initial, answer) for answer in answers or []]
        self._set(dict(zip(folders, values, strict=False)))

    def pushed(self, value: Any) -> None:
        """Take settings out of a `workspace/didChangeConfiguration` that carries them."""
        if isinstance(value, dict) and isinstance(value.get(SECTION), dict):
            self._set({"": _merge(self._initial, value[SECTION])})

    def _set(self, values: dict[str, Any]) -> None:
        settings: dict[str, Settings] = {}
        problems: list[str] = []
        for folder, value in values.items():
            settings[folder], found = parse_settings(value)
            problems += found
        settings.setdefault("", Settings())
        for problem in dict.fromkeys(problems):
            if problem not in self._told:
                self._told.add(problem)
                self._server.show(types.MessageType.Warning, problem)
        if settings != self._settings:
            self._settings = settings
            self._on_change()


def _merge(base: Any, value: Any) -> Any:
    """Lay one settings object over another; null says nothing."""
    if not isinstance(base, dict) or not isinstance(value, dict):
        return base if value is None else value
    return {key: _merge(base.get(key), value.get(key)) for key in {**base, **value}}

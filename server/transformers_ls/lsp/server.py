"""The language server: what it is made of, wired in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.lsp.server import LanguageServer

from transformers_ls import __version__
from transformers_ls.errors import UsageError, describe
from transformers_ls.lsp import features
from transformers_ls.lsp.analysis import Analyses
from transformers_ls.lsp.configuration import Configuration
from transformers_ls.lsp.garbage import IdleCollector
from transformers_ls.lsp.highlights import Highlights
from transformers_ls.lsp.protocol import TransformersProtocol
from transformers_ls.lsp.publisher import Publisher
from transformers_ls.lsp.refresh import Refresher
from transformers_ls.lsp.results import Results
from transformers_ls.lsp.runs import RunRegistry
from transformers_ls.lsp.status import StatusReporter
from transformers_ls.lsp.threads import start_threads

if TYPE_CHECKING:
    from transformers_ls.engines.base import Engine, EngineStatus
    from transformers_ls.lsp.chats import Chats
    from transformers_ls.lsp.diagnoses import Diagnoses
    from transformers_ls.lsp.templates import Templates
    from transformers_ls.settings import LocalSettings
    from transformers_ls.text.document import Document
    from transformers_ls.tokens.store import Entry, TokenizerStore

__all__ = ["Command", "TransformersServer", "create_server"]

log = logging.getLogger(__name__)

# A client that does not answer must not hold a run or a start for ever.
_ASK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Command:
    """A `workspace/executeCommand` command: the type of its one argument, and what it does."""

    params: type | None
    handler: Callable[..., Awaitable[Any]]


class TransformersServer(LanguageServer):
    """Everything one client's session is made of."""

    protocol: TransformersProtocol

    def __init__(self) -> None:
        super().__init__(
            "transformers-ls",
            __version__,
            protocol_cls=TransformersProtocol,
            converter_factory=get_converter,
        )
        self.commands: dict[str, Command] = {}
        self.documents = self.protocol.documents
        self.analyses = Analyses()
        self.configuration = Configuration(self, self.on_settings)
        self.runs = RunRegistry(self._on_runs)
        self.installs = RunRegistry(self._on_runs)
        self.refresher = Refresher(self)
        self.publisher = Publisher(self)
        self.status = StatusReporter(self)
        self.highlights = Highlights()
        self.results = Results()
        self._garbage = IdleCollector(
            lambda: self.protocol.last_message, lambda: self.protocol.is_asked
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shown: set[str] = set()

    # What a session may never need is made when it is first used: `initialize` does not wait for it.

    @cached_property
    def tokenizers(self) -> TokenizerStore:
        """The tokenizers that count."""
        from transformers_ls.tokens.store import TokenizerStore

        return TokenizerStore(self._resolve_tokenizer, self._on_tokenizer)

    @cached_property
    def chats(self) -> Chats:
        """The chats of open documents, and the template sandbox."""
        from transformers_ls.lsp.chats import Chats

        return Chats(self)

    @cached_property
    def templates(self) -> Templates:
        """The chat templates that are open as documents."""
        from transformers_ls.lsp.templates import Templates

        return Templates(self)

    @cached_property
    def engine(self) -> Engine:
        """What runs models."""
        from transformers_ls.engines.local import LocalEngine
        from transformers_ls.paths import prepared_dir

        def local() -> LocalSettings:
            return self.configuration.for_uri("").local

        engine = LocalEngine(
            render_chat=self.chats.prompts,
            keep_alive=lambda: local().keep_alive,
            prepared=lambda: None if local().cpu_decoder == "torch" else prepared_dir(),
        )
        engine.on_change = self.status.soon
        return engine

    def engine_status(self) -> EngineStatus:
        """Say what the engine is doing, without making one."""
        if "engine" not in self.__dict__:
            from transformers_ls.engines.base import EngineStatus

            return EngineStatus("local", "stopped", "this machine")
        return self.engine.status()

    @cached_property
    def diagnoses(self) -> Diagnoses:
        """What is wrong with the chats of open documents."""
        from transformers_ls.lsp.diagnoses import Diagnoses

        return Diagnoses(self)

    # The session

    async def start_session(self) -> None:
        """Read the settings and begin to load what they name; called after `initialized`."""
        if self._loop is None:
            start_threads()
            self._garbage.start()
        self._loop = asyncio.get_running_loop()
        await self.configuration.register()
        self.load_tokenizers()
        self.status.soon()

    async def end_runs(self) -> None:
        """Stop all work: the runs, the worker, the template sandbox."""
        self._loop = None
        self._garbage.close()
        self.refresher.close()
        self.publisher.close()
        self.status.close()
        await self.runs.end_all()
        await self.installs.end_all()
        if "tokenizers" in self.__dict__:
            self.tokenizers.close()
        if "engine" in self.__dict__:
            await self.engine.close()
        if "chats" in self.__dict__:
            await self.chats.close()

    def on_settings(self) -> None:
        """Act on new settings."""
        if self._loop is not None:
            self.load_tokenizers()
            self.refresher.soon()
            self.status.soon()

    def on_document(self, uri: str) -> None:
        """Act on a document that was opened, changed or closed."""
        self.publisher.soon(uri)
        if self.documents.get(uri) is None:
            self.analyses.forget(uri)
            self.diagnoses.forget(uri)
            self.templates.forget(uri)
            self.highlights.forget(uri)

    def load_tokenizers(self) -> None:
        """Begin to load the configured tokenizers in the background."""
        for model in self.configuration.all_tokenizers():
            self.tokenizers.get(model)

    # Asking and telling the client

    async def ask(self, method: str, params: Any, seconds: float = _ASK_SECONDS) -> Any:
        """Send a request to the client and wait for its answer.

        Raises:
            TimeoutError: The client did not answer in time.
        """
        future = self.protocol.send_request(method, params)
        try:
            # Shielded, since pygls fails on an answer to a cancelled request (its issue 621).
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
        finally:
            if not future.done():
                self.protocol.forget_request(future)

    def show_once(self, kind: types.MessageType, message: str) -> None:
        """Show a message to the user, but not a second time."""
        if message not in self._shown:
            self._shown.add(message)
            self.show(kind, message)

    def show(self, kind: types.MessageType, message: str) -> None:
        """Show a message to the user."""
        self.window_show_message(types.ShowMessageParams(kind, f"Transformers: {message}"))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log an error that belongs to no request; pygls would pop it up."""
        log.error("%s: %s", getattr(source, "__name__", source), describe(error))

    # Commands

    def add_command(self, name: str, params: type | None, handler: Callable[..., Any]) -> None:
        """Add a server command; its id is global in VS Code, so it is never a palette id."""
        self.commands[name] = Command(params, handler)

    async def execute_command(self, name: str, arguments: list[Any]) -> Any:
        """Run a command by its id.

        Raises:
            UsageError: There is no such command, or its argument is malformed.
        """
        command = self.commands.get(name)
        if command is None:
            raise UsageError(f"There is no command `{name}`.")
        if command.params is None:
            return await command.handler()
        try:
            (argument,) = arguments
            value: Any = self.protocol._converter.structure(argument, command.params)  # noqa: SLF001 - pygls has no public way.
        except Exception:  # noqa: BLE001 - cattrs raises groups of many kinds, all of them the client's.
            raise UsageError(
                f"The argument of `{name}` is malformed.", "See LSP_EXTENSIONS.md for its shape."
            ) from None
        return await command.handler(value)

    # What the domain rooms call back

    def _resolve_tokenizer(self, model: str) -> Path:
        from transformers_ls.hub.resolve import resolve

        allowed = self.configuration.for_uri("").hub.allow_network
        return resolve(model, allow_network=allowed).tokenizer

    def _on_tokenizer(self, _entry: Entry) -> None:
        # Called in a loader's thread; one refresh asks for everything. A load may outlive its
        # session, whose loop is then closed, or end with it: the attribute is read once.
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.refresher.soon)
                loop.call_soon_threadsafe(self.status.soon)

    def _on_runs(self) -> None:
        self.status.soon()

    def document(self, uri: str) -> Document:
        """Return an open document.

        Raises:
            UsageError: The client has not opened it.
        """
        document = self.documents.get(uri)
        if document is None:
            raise UsageError("The document is not open.", "Open it and try again.")
        return document


def create_server() -> TransformersServer:
    """Build a server with all its features; it serves one client."""
    server = TransformersServer()
    features.register(server)
    return server

"""A language client in the same process: messages go through the real protocol as JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from transformers_ls.lsp.server import TransformersServer, create_server

FULL_CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16", "utf-8", "utf-32"]},
    "window": {"workDoneProgress": True},
    "workspace": {
        "configuration": True,
        "didChangeConfiguration": {"dynamicRegistration": True},
        "inlayHint": {"refreshSupport": True},
        "codeLens": {"refreshSupport": True},
        "applyEdit": True,
        "workspaceEdit": {"documentChanges": True},
    },
}


class RequestError(Exception):
    """The server answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data") or {}


class Session:
    """Talks to one server; `settings` is what the client's user has configured."""

    def __init__(self, server: TransformersServer, settings: dict[str, Any] | None = None) -> None:
        self.server = server
        self.settings = settings or {}
        self.notifications: dict[str, list[Any]] = defaultdict(list)
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.documents: dict[str, str] = {}
        self.silent: set[str] = set()
        """Methods of server requests that this client never answers."""
        self.applied = True
        self.raw: list[dict[str, Any]] = []
        self._ids = itertools.count(1)
        self._pending: dict[Any, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        server.protocol.set_writer(self, include_headers=False)

    # The writer's side

    def write(self, data: bytes) -> None:
        message = json.loads(data)
        self.raw.append(message)
        if "method" not in message:
            future = self._pending.pop(message["id"], None)
            if future is not None and not future.done():
                if "error" in message:
                    future.set_exception(RequestError(message["error"]))
                else:
                    future.set_result(message.get("result"))
        elif "id" in message:
            self.requests[message["method"]].append(message.get("params"))
            if message["method"] not in self.silent:
                asyncio.get_running_loop().call_soon(self._answer, message)
        else:
            self.notifications[message["method"]].append(message.get("params"))
        self._news.set()

    def close(self) -> None:
        """The transport's end; nothing to do here."""

    def _answer(self, message: dict[str, Any]) -> None:
        method, params, result = message["method"], message.get("params"), None
        if method == "workspace/configuration":
            result = [self.settings for _ in params["items"]]
        elif method == "workspace/applyEdit":
            result = {"applied": self.applied}
        self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    # The client's side

    def send(self, message: Any) -> None:
        """Hand over one message, exactly as given."""
        self.server.protocol.handle_message(json.loads(json.dumps(message)))

    def start(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; return its id and its answer to come."""
        msg_id = next(self._ids)
        future = self._pending[msg_id] = asyncio.get_running_loop().create_future()
        self.send({"jsonrpc": "2.0", "id": msg_id, "method": method, "params": params})
        return msg_id, future

    async def request(self, method: str, params: Any = None, seconds: float = 30) -> Any:
        """Send a request and wait for its answer."""
        _, future = self.start(method, params)
        return await asyncio.wait_for(future, seconds)

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def initialize(self, capabilities: Any = None, **options: Any) -> Any:
        """Start the session, as an editor does."""
        result = await self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": None,
                "capabilities": FULL_CAPABILITIES if capabilities is None else capabilities,
                "initializationOptions": options or None,
            },
        )
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, language: str = "markdown", version: int = 1) -> None:
        """Open a document."""
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: Any) -> None:
        """Change a document; a change is a whole text, or (range, text)."""
        events = [
            {"text": change} if isinstance(change, str) else {"range": change[0], "text": change[1]}
            for change in changes
        ]
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": events},
        )

    async def until(self, condition: Any, seconds: float = 30) -> Any:
        """Wait until something is true of what was received."""

        async def poll() -> Any:
            while not (value := condition()):
                self._news.clear()
                # Some conditions are about the server's own state, which sends no message.
                try:
                    await asyncio.wait_for(self._news.wait(), 0.02)
                except TimeoutError:
                    continue
            return value

        return await asyncio.wait_for(poll(), seconds)

    async def ready(self, *models: str) -> None:
        """Wait until tokenizers have loaded, or failed to."""
        store = self.server.tokenizers
        # The first export of a tokenizer takes half a minute on a machine that is busy.
        await self.until(
            lambda: all(store.get(model).state != "loading" for model in models), seconds=240
        )


@asynccontextmanager
async def session(
    server: TransformersServer | None = None, settings: dict[str, Any] | None = None
) -> AsyncIterator[Session]:
    """Give a client with a server of its own, and end both."""
    client = Session(server or create_server(), settings)
    try:
        yield client
    finally:
        await client.server.end_runs()


def range_of(text: str, part: str) -> dict[str, Any]:
    """Return the LSP range (UTF-16) of the only occurrence of a part in a text."""
    assert text.count(part) == 1, part
    start = text.index(part)
    return {"start": position_of(text, start), "end": position_of(text, start + len(part))}


def position_of(text: str, offset: int) -> dict[str, int]:
    """Return the LSP position (UTF-16) of an offset, for texts whose lines end in \\n."""
    before = text[:offset]
    line_start = before.rfind("\n") + 1
    units = len(before[line_start:].encode("utf-16-le", "surrogatepass")) // 2
    return {"line": before.count("\n"), "character": units}

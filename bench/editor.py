"""An editor as small as can be: one language server process over stdio, one request at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import count
from types import TracebackType
from typing import Any, Self

MINIMAL = (
    "from pygls.lsp.server import LanguageServer\n"
    "from lsprotocol import types\n"
    "server = LanguageServer('minimal', '1')\n"
    "@server.feature(types.TEXT_DOCUMENT_HOVER)\n"
    "async def hover(params): return None\n"
    "server.start_io()\n"
)
"""What pygls does when nothing is asked of it: documents in sync, and a hover that says nothing."""

MINIMAL_SERVER = [sys.executable, "-c", MINIMAL]
OUR_SERVER = [sys.executable, "-m", "transformers_ls", "serve", "--stdio"]
CAPABILITIES = {"workspace": {"configuration": True}, "window": {"workDoneProgress": True}}


def frame(message: dict[str, Any]) -> bytes:
    """Return a message as it goes over the wire."""
    body = json.dumps({"jsonrpc": "2.0"} | message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


# What pip installs is compiled; a server from a source tree must be allowed to keep its byte code.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


class Editor:
    """A session with a server. Requests of the server are answered, notifications are dropped."""

    def __init__(self, command: list[str], settings: dict[str, Any] | None = None) -> None:
        self.settings = settings or {}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
        )
        self._ids = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the server by the end of its input."""
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def initialize(self) -> dict[str, Any]:
        """Start the session; return what the server can do."""
        params = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES}
        answer: dict[str, Any] = self.request("initialize", params)
        return answer

    def request(self, method: str, params: Any, *before: bytes) -> Any:
        """Send messages and a request in one piece, and wait for the request's answer."""
        msg_id = next(self._ids)
        self.send(*before, frame({"id": msg_id, "method": method, "params": params}))
        while True:
            message = self._read()
            if "method" in message:
                if "id" in message:
                    self._answer(message)
            elif message["id"] == msg_id:
                if "error" in message:
                    raise RuntimeError(message["error"]["message"])
                return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self.send(frame({"method": method, "params": params}))

    def send(self, *frames: bytes) -> None:
        """Send what `frame` made."""
        self.process.stdin.write(b"".join(frames))
        self.process.stdin.flush()

    def _answer(self, message: dict[str, Any]) -> None:
        result = None
        if message["method"] == "workspace/configuration":
            result = [self.settings for _ in message["params"]["items"]]
        self.send(frame({"id": message["id"], "result": result}))

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self.process.stdout.readline()) != b"\r\n":
            if not line:
                raise RuntimeError(f"the server ended with code {self.process.wait()}")
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message

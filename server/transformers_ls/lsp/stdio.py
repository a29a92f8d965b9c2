"""The protocol over standard input and output, read by the event loop itself.

pygls reads standard input in threads, line by line: a message costs three ways to a thread and back,
which is more than most answers take. Where the system lets a loop wait for the pipe, what arrives
there is cut into messages at once; elsewhere pygls reads.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO

from pygls.exceptions import JsonRpcException
from pygls.io_ import StdinAsyncReader, run_async

from transformers_ls.lsp.output import Output
from transformers_ls.text.long_json import LONG, filled, read_in_pieces
from transformers_ls.text.turns import polite_loop

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["Messages", "serve_stdio"]

log = logging.getLogger(__name__)

_HEADER = 1 << 16
"""No header of a message is that long."""
_HEADER_END = b"\r\n\r\n"
# Names of header fields may be written in any case; the length has no more digits than memory has.
_LENGTH = re.compile(rb"(?i)(?:\A|\n)Content-Length: *(\d{1,12})[ \t]*\r\n")


def serve_stdio(server: TransformersServer, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve one client until its input ends; as `LanguageServer.start_io`, which see."""
    output = Output(stdout)
    server.protocol.set_writer(output)
    server._stop_event = Event()  # noqa: SLF001 - set by pygls' own starts, with no public way.
    try:
        with suppress(BrokenPipeError, KeyboardInterrupt, SystemExit):
            # The loop that Windows needs for processes has no selector.
            new_loop = None if os.name == "nt" else polite_loop
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(_serve(server, server._stop_event, stdin, stdout))  # noqa: SLF001
    finally:
        output.close()
        server.shutdown()  # type: ignore[no-untyped-call]


async def _serve(
    server: TransformersServer, stop: Event, stdin: BinaryIO, stdout: BinaryIO
) -> None:
    if _pollable(stdin, stdout):
        loop = asyncio.get_running_loop()
        messages = Messages(server, stop)
        await loop.connect_read_pipe(lambda: messages, stdin)
        await messages.ended
        return
    await run_async(
        stop_event=stop,
        reader=StdinAsyncReader(stdin, server.thread_pool),
        protocol=server.protocol,
        logger=log,
        error_handler=server.report_server_error,
    )


class Messages(asyncio.Protocol):
    """Cuts what arrives into messages and hands them over, all that are there in one go.

    A long message, such as a document of megabytes that is opened, is read in a thread; those behind
    it wait until it was handled, and the loop goes on with all that it has begun.

    Args:
        server: Whose protocol handles them.
        stop: Set when no more are to be handled.
    """

    def __init__(self, server: TransformersServer, stop: Event) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = server
        self._stop = stop
        self._buffer = bytearray()
        self._body = 0
        """Where the body of the first message begins; 0 while its header is not there."""
        self._end = 0
        """Where it ends."""
        self._reading: asyncio.Future[Any] | None = None
        """A long message that is being read in a thread."""
        self._lost = False

    def data_received(self, data: bytes) -> None:
        """Handle the messages that are complete."""
        self._buffer += data
        self._cut()

    def connection_lost(self, _error: Exception | None) -> None:
        """End with the client's input, when all of it is handled."""
        self._lost = True
        self._cut()

    def _cut(self) -> None:
        """Handle what is complete, up to a long message."""
        buffer = self._buffer
        while self._reading is None and not self.ended.done():
            if not (self._body or self._read_header()) or len(buffer) < self._end:
                break
            start, end = self._body, self._end
            self._body = self._end = 0
            if end - start < LONG:
                body = bytes(memoryview(buffer)[start:end])
                del buffer[:end]
                self._handle(lambda body=body: json.loads(body))  # type: ignore[misc]
                continue
            # Not copied here: what comes behind it is short, as a rule.
            whole, buffer = buffer, buffer[end:]
            self._buffer = buffer
            loop = asyncio.get_running_loop()
            self._reading = loop.run_in_executor(None, self._read_long, whole, start, end)
            self._reading.add_done_callback(self._read)
        if self._lost and self._reading is None and not self.ended.done():
            if buffer:
                log.warning("the client's input ended in the middle of a message")
            self._finish()

    def _read_header(self) -> bool:
        """Find out where the first message's body is; False when that is not known yet."""
        while (end := self._buffer.find(_HEADER_END, 0, _HEADER)) >= 0:
            length = _LENGTH.search(self._buffer, 0, end + 2)
            if length is not None:
                self._body = end + len(_HEADER_END)
                self._end = self._body + int(length[1])
                return True
            # A header without a length has no body to skip.
            del self._buffer[: end + len(_HEADER_END)]
        if len(self._buffer) >= _HEADER:
            log.error("what the client sends is not LSP")
            self._finish()
        return False

    def _read_long(self, whole: bytearray, start: int, end: int) -> Any:
        del whole[end:]
        del whole[:start]
        message, strings = read_in_pieces(whole)
        self._server.protocol.documents.foresee(message, strings)
        return filled(message, strings)

    def _read(self, reading: asyncio.Future[Any]) -> None:
        self._reading = None
        if not reading.cancelled():
            self._handle(reading.result)
        self._cut()

    def _handle(self, read: Callable[[], Any]) -> None:
        try:
            self._server.protocol.handle_message(read())
        except Exception as error:  # noqa: BLE001 - as in pygls: the next message may be well.
            self._server.report_server_error(error, JsonRpcException)
        if self._stop.is_set():
            self._finish()

    def _finish(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _pollable(stdin: BinaryIO, stdout: BinaryIO) -> bool:
    """Tell whether an event loop can wait for standard input, and nothing else is touched by it."""
    if os.name == "nt":
        # Its loop waits only for pipes that were opened for that.
        return False
    given, answers = os.fstat(stdin.fileno()), os.fstat(stdout.fileno())
    # What is read becomes non-blocking; were it the same as what is written, writing would fail.
    return (stat.S_ISFIFO(given.st_mode) or stat.S_ISSOCK(given.st_mode)) and not os.path.samestat(
        given, answers
    )

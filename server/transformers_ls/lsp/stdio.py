"""The protocol over standard input and output, read by the event loop itself.

pygls reads standard input in threads, line by line: a message costs three ways to a thread and back,
which is more than most answers take. Where the system lets a loop wait for the pipe, asyncio's own
reader takes their place; pygls does the rest either way.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from pygls.io_ import StdinAsyncReader, StdoutWriter, run_async

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["serve_stdio"]

log = logging.getLogger(__name__)

_BUFFER = 1 << 20
"""Bytes that may wait to be read before the pipe is left alone for a while."""


def serve_stdio(server: TransformersServer, stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve one client until its input ends; as `LanguageServer.start_io`, which see."""
    server.protocol.set_writer(StdoutWriter(stdout))
    server._stop_event = Event()  # noqa: SLF001 - set by pygls' own starts, with no public way.
    try:
        with suppress(BrokenPipeError, KeyboardInterrupt, SystemExit):
            asyncio.run(_serve(server, server._stop_event, stdin, stdout))  # noqa: SLF001
    finally:
        server.shutdown()  # type: ignore[no-untyped-call]


async def _serve(
    server: TransformersServer, stop: Event, stdin: BinaryIO, stdout: BinaryIO
) -> None:
    reader: asyncio.StreamReader | StdinAsyncReader
    if _pollable(stdin, stdout):
        reader = asyncio.StreamReader(limit=_BUFFER)
        answering = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: answering, stdin)
    else:
        reader = StdinAsyncReader(stdin, server.thread_pool)
    try:
        await run_async(
            stop_event=stop,
            reader=reader,
            protocol=server.protocol,
            logger=log,
            error_handler=server.report_server_error,
        )
    except asyncio.IncompleteReadError:
        log.warning("the client's input ended in the middle of a message")
    except ValueError:
        # Of the reader only: what handlers raise is handled. No header line is that long.
        log.error("what the client sends is not LSP")  # noqa: TRY400


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

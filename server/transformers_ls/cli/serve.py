"""`transformers-ls serve`: the language server on stdio, TCP or WebSocket."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, BinaryIO

from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["add_arguments", "run"]

_COLLECTIONS = (700, 2, 25_000)
"""As `gc.set_threshold` has it: the middle generation is searched with every third search of the youngest,
instead of every eleventh. It then has some thousand objects, for which a millisecond is enough; with
every sixth it took two or three while a long dataset was checked. All objects are searched when nobody
waits (see `lsp.garbage`), and otherwise only if that time never comes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the transports."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--stdio", action="store_true", help="standard input and output (default)")
    group.add_argument("--tcp", metavar="HOST:PORT", help="one client over TCP, loopback only")
    group.add_argument("--ws", metavar="HOST:PORT", help="one client over WebSocket, loopback only")
    parser.add_argument(
        "--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"]
    )
    # VS Code's language client passes it; the end of stdin says the same.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Serve one client until it leaves."""
    # A thread that computes in Python keeps the event loop waiting for as long as this: 5 ms by
    # default, which is the most that a key may wait in all.
    sys.setswitchinterval(0.0005)
    logging.basicConfig(
        stream=sys.stderr,
        level=arguments.log_level,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # pygls logs whole messages, that is the user's text; our own protocol logs what matters.
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    if arguments.tcp or arguments.ws:
        host, port = _address(arguments.tcp or arguments.ws)
        if arguments.ws:
            _need_websockets()
        server = _create_server()
        try:
            (server.start_tcp if arguments.tcp else server.start_ws)(host, port)
        except OSError as error:
            raise UsageError(
                f"Cannot listen on {host}:{port}: {error.strerror}.", "Choose another port."
            ) from None
        return 0
    stdout = _take_stdout()
    server = _create_server()
    from transformers_ls.lsp.stdio import serve_stdio

    serve_stdio(server, sys.stdin.buffer, stdout)
    return 0


def _create_server() -> TransformersServer:
    # The 50,000 objects of the modules live for ever. To look through all of them for garbage, again
    # and again, would hold up the start while they are made, and whatever is going on later for 20 ms
    # each time.
    gc.disable()
    try:
        from transformers_ls.lsp.server import create_server

        return create_server()
    finally:
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        gc.enable()


def _take_stdout() -> BinaryIO:
    """Keep stdout for the protocol: whatever else prints (a library, a C extension) goes to stderr."""
    sys.stdout.flush()
    kept = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return kept


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"{value!r} is no address.", "Write HOST:PORT, for example 127.0.0.1:2087."
        )
    # There is no authentication in LSP, so nothing but this machine may reach the server.
    loopback = host == "localhost"
    with suppress(ValueError):
        loopback = loopback or ip_address(host).is_loopback
    if not loopback:
        raise UsageError(
            f"{host} is not this machine's loopback address.",
            "LSP has no authentication; use 127.0.0.1 and an SSH tunnel.",
        )
    return host, int(port)


def _need_websockets() -> None:
    try:
        import websockets  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        raise UsageError(
            "The WebSocket transport needs a package that is not installed.",
            'Run: pip install "transformers-ls[ws]"',
        ) from None

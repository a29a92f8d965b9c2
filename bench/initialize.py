"""Time from starting the server to its answer to `initialize`, against a minimal pygls server.

Prints the ratio of the medians; runs alternate, so that other load meets both alike. When
jedi-language-server is installed it is measured in the same run.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time

ROUNDS = 15
MINIMAL = (
    "from pygls.lsp.server import LanguageServer\n"
    "from lsprotocol import types\n"
    "s = LanguageServer('minimal', '1')\n"
    "@s.feature(types.TEXT_DOCUMENT_HOVER)\n"
    "async def hover(params): return None\n"
    "s.start_io()\n"
)
SERVERS = {
    "minimal pygls": [sys.executable, "-c", MINIMAL],
    "transformers-ls": [sys.executable, "-m", "transformers_ls", "serve", "--stdio"],
}
if importlib.util.find_spec("jedi_language_server"):
    SERVERS["jedi-language-server"] = [sys.executable, "-m", "jedi_language_server"]

CAPABILITIES = {"workspace": {"configuration": True}, "window": {"workDoneProgress": True}}


def frame(message: dict) -> bytes:
    body = json.dumps({"jsonrpc": "2.0"} | message).encode()
    return f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def seconds_to_initialize(command: list[str]) -> float:
    request = {"processId": None, "rootUri": None, "capabilities": CAPABILITIES}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    process.stdin.write(frame({"id": 1, "method": "initialize", "params": request}))
    process.stdin.flush()
    length = 0
    while (line := process.stdout.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answer = json.loads(process.stdout.read(length))
    elapsed = time.perf_counter() - started
    assert "capabilities" in answer["result"]
    process.stdin.close()
    process.wait()
    process.stdout.close()
    return elapsed


def main() -> None:
    times = {name: [] for name in SERVERS}
    for command in SERVERS.values():
        seconds_to_initialize(command)  # Byte code and page cache.
    for _ in range(ROUNDS):
        for name, command in SERVERS.items():
            times[name].append(seconds_to_initialize(command))
    base = statistics.median(times["minimal pygls"])
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:22} {1000 * median:7.0f} ms [{1000 * min(values):.0f}..{1000 * max(values):.0f}]"
            f"  {median / base:5.2f} x minimal pygls"
        )


if __name__ == "__main__":
    main()

"""Interpreters that do not behave: scripts that stand in for the worker's Python."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

PRELUDE = """#!{python}
import os, sys, time
sys.path.insert(0, {server!r})
from transformers_ls_worker import wire

def send(message):
    os.write(1, wire.encode(message))

def receive():
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    return wire.decode(line)

def ready(version=wire.WIRE_VERSION):
    send(wire.Ready(version, "3", "2", "5", "cpu", "float32", os.getpid()))

def done(run_id, reason="eos"):
    send(wire.Done(run_id, reason, 1, 1, 0.1, 0.2, "cpu", "float32"))
"""


def fake_python(folder: Path, body: str) -> str:
    """Write an executable that behaves as `body` says; return its path."""
    server = Path(__file__).resolve().parents[2] / "server"
    path = folder / "python"
    path.write_text(PRELUDE.format(python=sys.executable, server=str(server)) + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)

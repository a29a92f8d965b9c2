"""Waiting for processes that somebody else started."""

from __future__ import annotations

import time

import psutil

__all__ = ["gone"]


def gone(pid: int | None, seconds: float = 20) -> bool:
    """Wait until a process has ended; False when it has not after so long."""
    assert pid is not None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False

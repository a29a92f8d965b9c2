"""How much memory a process that holds a tokenizer may take."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

__all__ = ["limit_memory"]

_LEAST = 4 * 2**30


def limit_memory() -> None:
    """Let this process fail, and not the machine, when a tokenizer or a text takes too much.

    It may take half of the machine's memory on top of what it has now, at least 4 GB of address
    space. Only Linux holds processes to it.
    """
    if sys.platform != "linux":
        return
    import resource

    page = resource.getpagesize()
    room = max(_LEAST, os.sysconf("SC_PHYS_PAGES") * page // 2)
    # A machine or container may set a lower limit of its own, or none may be readable.
    with contextlib.suppress(OSError, ValueError):
        now = int(Path("/proc/self/statm").read_text().split()[0]) * page
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + room if hard == resource.RLIM_INFINITY else min(now + room, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))

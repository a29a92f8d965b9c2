"""What a rendering process may use, and how it binds itself to that before it meets a template."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Limits", "clear_alarm", "enter_jail", "limit_of_signal", "set_alarm"]

_GRACE_SECONDS = 1.0
"""How much longer than the front the process waits before it ends itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one render.

    `seconds` is time on the wall, `cpu_seconds` time on the processor (not on Windows).
    `memory_bytes` counts on top of what the process needs anyway; the kernel holds it on Linux
    only. `nice` is how far the process stands back for others, as Unix has it (not on Windows).
    """

    seconds: float = 2.0
    cpu_seconds: float = 2.0
    memory_bytes: int = 512 * 2**20
    output_chars: int = 20_000_000
    nice: int = 0


def enter_jail(limits: Limits) -> None:
    """Give up, for good, what rendering does not need: files, sockets, processes, more memory.

    Everything that rendering imports must be imported by now: not even Python's own files open.
    """
    if sys.platform == "win32":
        return
    import resource

    os.nice(limits.nice)
    ceilings = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 0,  # Open descriptors go on working; a new one, a socket too, fails.
    }
    if sys.platform == "linux":
        ceilings[resource.RLIMIT_NPROC] = 0
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        ceilings[resource.RLIMIT_AS] = pages * resource.getpagesize() + limits.memory_bytes
    for name, ceiling in ceilings.items():
        with contextlib.suppress(ValueError, OSError):  # The machine's own limit is lower still.
            resource.setrlimit(name, (ceiling, ceiling))


def set_alarm(limits: Limits) -> None:
    """Let the kernel end this process if the render runs on, whoever is there to kill it or not.

    Nothing in this process could: one long multiplication holds the interpreter, threads and signal
    handlers included. So the signals keep their default action.
    """
    _set_timers(limits.cpu_seconds, limits.seconds + _GRACE_SECONDS)


def clear_alarm() -> None:
    """Take the alarm back after the render."""
    _set_timers(0, 0)


def _set_timers(cpu_seconds: float, seconds: float) -> None:
    if sys.platform != "win32":
        import signal

        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def limit_of_signal(returncode: int | None) -> str | None:
    """Return which limit ended the process, if it was one of its alarms."""
    if sys.platform == "win32" or returncode is None:
        return None
    import signal

    return {-signal.SIGPROF: "processor", -signal.SIGALRM: "time"}.get(returncode)

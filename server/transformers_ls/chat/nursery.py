"""Gives each renderer that ended a successor at once, on Linux.

Importing transformers takes most of a second. So the process that imported it renders nothing
itself: it forks a renderer, waits for its end, says how it ended, and forks the next, within
milliseconds. Front, nursery and renderer share one pair of pipes; there is one renderer at a time.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

__all__ = ["END", "REPLACE", "can_fork", "raise_renderers"]

_PR_SET_PDEATHSIG: Final = 1
_DRAIN_BYTES: Final = 1 << 16

if sys.platform != "win32":
    REPLACE: Final = signal.SIGUSR1
    """The signal with which the front asks for another renderer: this one does not stop."""
    END: Final = signal.SIGTERM


def can_fork() -> bool:
    """Whether a process that imported much may fork; on macOS its frameworks forbid it."""
    return sys.platform == "linux"


def raise_renderers(requests: int, tell: Callable[[Any], None]) -> None:
    """Return in a renderer, again and again; the process itself only ends.

    Args:
        requests: The descriptor that renderers read from.
        tell: Writes a frame to the front.
    """
    if sys.platform == "win32":
        return
    renderer = 0

    def replace(_number: int, _frame: object) -> None:
        if renderer:
            os.kill(renderer, signal.SIGKILL)

    def end(_number: int, _frame: object) -> None:
        if renderer:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(renderer, signal.SIGKILL)
                os.waitpid(renderer, 0)
        os._exit(0)

    signal.signal(REPLACE, replace)
    signal.signal(END, end)
    # From here on no collection touches, and so copies, the pages that all renderers share.
    gc.freeze()
    signals = {REPLACE, END}
    while True:
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        renderer = os.fork()
        if not renderer:
            _leave_home(signals)
            return
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        _, status = os.waitpid(renderer, 0)
        renderer = 0
        code = os.waitstatus_to_exitcode(status)
        if code == 0 or not _drain(requests):
            os._exit(0)  # The front is gone.
        tell({"ended": code})


def _leave_home(signals: set[signal.Signals]) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    # Nothing of it may live on without its nursery.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _drain(requests: int) -> bool:
    """Throw away what the renderer left unread, so that the next begins at a frame's beginning."""
    os.set_blocking(requests, False)
    try:
        while data := os.read(requests, _DRAIN_BYTES):
            pass
    except BlockingIOError:
        return True
    finally:
        os.set_blocking(requests, True)
    return bool(data)

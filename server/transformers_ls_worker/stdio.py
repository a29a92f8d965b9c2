"""The process's standard streams, taken away from libraries that print, and its parent's death."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import BinaryIO

__all__ = ["claim", "die_with_parent"]


def claim() -> tuple[BinaryIO, BinaryIO]:
    """Take the real standard input and output for the wire.

    Afterwards file descriptor 1 is standard error and descriptor 0 is empty, for Python and for
    native libraries alike, so that nothing a library prints or reads can corrupt a frame.

    Returns:
        The stream to read frames from and the stream to write frames to, both unbuffered on the
        side of the pipe.
    """
    wire_in = os.fdopen(os.dup(0), "rb")
    wire_out = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return wire_in, wire_out


def die_with_parent() -> None:
    """Ask Linux to end this process with its parent, also while it holds the interpreter's lock.

    Elsewhere, and where the parent died before this call, the end of standard input does it.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)

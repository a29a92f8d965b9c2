"""A forked copy of this process that counts: how its parent sees it, and what it does itself."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import warnings
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from transformers_ls.tokens.frames import (
    Frames,
    Kind,
    frame_bytes,
    pack_bytes,
    read_frames,
    unpack_views,
    write_bytes,
    write_some,
)

__all__ = ["Count", "TwinProcess"]

_AHEAD = 3
"""How many loads wait in the pipe, so that the copy always finds one."""
_PIPE_BYTES = 1 << 20
"""As much as Linux lets everybody have."""
_READ = 1 << 16
_IDLE_SECONDS = 20
_BUSY_SECONDS = 60
"""As long as a load may take: twice as long as its parent waits."""
_LATE_MS = 30_000
"""A copy that has not answered for so long hangs."""

Count = Callable[[Sequence[str | bytes]], list[int]]


class TwinProcess:
    """The copy, as its parent sees it.

    Args:
        count: See `Twin`.

    Raises:
        OSError: The system has no process or descriptor left.
    """

    def __init__(self, count: Count) -> None:
        self.waiting: list[int] = []
        """The numbers of the loads that it was given, and has not answered."""
        self._unsent = memoryview(b"")
        self._frames = Frames()
        requests, self._requests = os.pipe()
        try:
            self._answers, answers = os.pipe()
        except OSError:
            os.close(requests)
            os.close(self._requests)
            raise
        try:
            self._pid = _fork(partial(_serve, requests, answers, count))
        except BaseException:
            # If there is a copy all the same, it ends with its pipe.
            self._close()
            raise
        finally:
            os.close(requests)
            os.close(answers)
        for pipe in (self._requests, self._answers):
            os.set_blocking(pipe, False)
        _widen(self._requests)

    @property
    def has_room(self) -> bool:
        """Whether it could do with another load."""
        return len(self.waiting) < _AHEAD and not self._unsent

    def reap(self) -> bool:
        """Return whether it has ended by itself, as it does when nothing comes; it is closed then."""
        try:
            ended = os.waitpid(self._pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            ended = True
        if ended:
            self._close()
        return ended

    def give(self, number: int, texts: Sequence[str]) -> None:
        """Give it texts to count.

        Raises:
            UnicodeEncodeError: One has lone surrogates.
        """
        body = pack_bytes([text.encode() for text in texts])
        self.waiting.append(number)
        self._unsent = memoryview(frame_bytes(number, Kind.COUNT, body))
        self._send()

    def take(self, counts: list[list[int]], *, wait: bool) -> bool:
        """Note what it has answered; return False when it is gone, or failed.

        Args:
            counts: The places of the answers.
            wait: Whether to wait for something to happen.
        """
        if wait:
            ready = select.poll()
            ready.register(self._answers, select.POLLIN)
            if self._unsent:
                ready.register(self._requests, select.POLLOUT)
            if not ready.poll(_LATE_MS):
                return False
        self._send()
        try:
            data = os.read(self._answers, _READ)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for number, kind, body in self._frames.feed(data):
            if kind is Kind.FAILED:
                return False
            self.waiting.remove(number)
            counts[number] = array("Q", body).tolist()
        return bool(data)

    def end(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self._close()

    def _send(self) -> None:
        # When it is gone, the end of its answers tells.
        with contextlib.suppress(BrokenPipeError):
            self._unsent = write_some(self._requests, self._unsent)

    def _close(self) -> None:
        os.close(self._requests)
        os.close(self._answers)


def _fork(serve: Callable[[], NoReturn]) -> int:
    # An interrupt in the copy would go up through what its parent was doing.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings():
            # Since 3.12 Python warns of forks beside threads, whose locks the copy might wait for. It
            # only counts, by an engine that no other thread is in: that would have Python's own lock.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            serve()
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(requests: int, answers: int, count: Count) -> NoReturn:
    """Be the other process."""
    code = 1
    try:
        # Who interrupts a command means its parent.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        gc.disable()
        _leave_home({requests, answers})
        signal.alarm(_IDLE_SECONDS)
        for frames in read_frames(requests):
            for number, _, body in frames:
                # Its parent may have been killed meanwhile, and nobody would stop it then.
                signal.alarm(_BUSY_SECONDS)
                write_bytes(answers, memoryview(_answer(number, body, count)))
            signal.alarm(_IDLE_SECONDS)
        code = 0
    finally:
        os._exit(code)


def _answer(number: int, body: bytes, count: Count) -> bytes:
    try:
        counts = count([bytes(view) for view in unpack_views(body)])
    # Its parent will see for itself.
    except Exception:  # noqa: BLE001
        return frame_bytes(number, Kind.FAILED, [])
    return frame_bytes(number, Kind.DONE, [array("Q", counts).tobytes()])


def _leave_home(kept: set[int]) -> None:
    """Let go of everything of the parent's: who waits for the end of its pipes, waits for its."""
    nothing = os.open(os.devnull, os.O_RDWR)
    # Where a standard stream was closed, a pipe may have its number.
    for standard in {0, 1, 2} - kept:
        os.dup2(nothing, standard)
    try:
        # All that there may be are a thousand million where a container sets no limit.
        numbers = [*map(int, os.listdir("/proc/self/fd"))]  # noqa: PTH208 - numbers, no paths.
    except OSError:
        numbers = [*range(os.sysconf("SC_OPEN_MAX"))]
    for number in numbers:
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _widen(pipe: int) -> None:
    import fcntl

    # A user may have too many of them already.
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

"""The worker's three threads: one hears the front, one computes, one speaks.

An abort is heard while the model works, because the thread that reads never computes; and a slow
reader on the other side never slows the model, because the thread that computes never writes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Protocol, TypeAlias

from transformers_ls_worker import wire
from transformers_ls_worker.failures import explain, is_poisoned

__all__ = ["Inbox", "Outbox", "Request", "Runner", "Turn"]

Request: TypeAlias = wire.Generate | wire.Infer
"""What a run is asked to do."""


class Turn(Protocol):
    """A run's say in who computes; given to it with its request."""

    def aborted(self) -> bool:
        """Whether the run was aborted; cheap enough to ask before each layer of a model."""
        ...

    def give_way(self) -> None:
        """Let other runs compute if it is their turn; called between two steps of a run.

        Whatever the run keeps in global state (torch's random numbers, its number of threads) is
        as it was when this returns.
        """
        ...


Runner = Callable[[Request, Callable[[wire.FromWorker], None], Turn], wire.Done]
"""Does one run: takes the request, where its frames go, and its turn."""


class _OnlyRun:
    """The turn of a run that computes alone."""

    def __init__(self, abort: threading.Event) -> None:
        self.aborted = abort.is_set

    def give_way(self) -> None:
        """Nobody else computes."""


class Outbox:
    """Frames on their way to the front, written by a thread of their own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="wire-writer", daemon=True)
        self._thread.start()

    def send(self, message: wire.FromWorker) -> None:
        """Queue a frame; never blocks."""
        self._frames.put(wire.encode(message))

    def close(self) -> None:
        """Write what is queued, and wait for it."""
        self._frames.put(None)
        self._thread.join(timeout=5)

    def _write(self) -> None:
        try:
            while (frame := self._frames.get()) is not None:
                self._write_all(frame)
        except OSError:
            os._exit(0)  # The front is gone, and with it the reason to be here.

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # An unbuffered pipe may take less than it is given.
            view = view[self._stream.write(view) :]


class Inbox:
    """Runs that wait, and what was said about the one that works; filled by the reading thread."""

    def __init__(self, stream: BinaryIO, outbox: Outbox) -> None:
        self._stream = stream
        self._outbox = outbox
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._current: str | None = None
        self._abort_current = threading.Event()
        self._greeted = False
        self._closed = False
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def wait_for_hello(self) -> bool:
        """Wait until the front said hello; False when it only said goodbye."""
        with self._changed:
            self._changed.wait_for(lambda: self._greeted or self._closed)
            return self._greeted

    def work(self, run: Runner) -> None:
        """Do runs in order until the front says goodbye."""
        while (request := self._next()) is not None:
            try:
                ending: wire.FromWorker = run(
                    request, self._outbox.send, _OnlyRun(self._abort_current)
                )
            except Exception as error:  # noqa: BLE001 - one run's failure must not end the others
                # Frames and type only: the message of an exception may quote the user's text.
                traceback.print_tb(error.__traceback__, file=sys.stderr)
                sys.stderr.write(f"{type(error).__name__}\n")
                why = explain(error)
                ending = wire.Failed(request.run_id, why.code, why.message, why.hint)
                if is_poisoned(error):
                    self._outbox.send(ending)
                    self._outbox.close()
                    os._exit(1)
            with self._changed:
                self._current = None
                self._outbox.send(ending)

    def _next(self) -> Request | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            request = self._waiting.popleft()
            self._current = request.run_id
            self._abort_current.clear()
            return request

    def _read(self) -> None:
        while line := self._stream.readline(wire.MAX_FRAME_BYTES):
            try:
                message = wire.decode(line)
            except wire.BrokenFrameError as error:
                self._outbox.send(wire.Failed("", "protocol", f"A frame was broken: {error}."))
                continue
            with self._changed:
                self._take(message)
                self._changed.notify_all()
        # The front is gone. The other threads may be deep in a computation, so nothing is asked.
        os._exit(0)

    def _take(self, message: object) -> None:
        if isinstance(message, wire.Hello):
            self._greeted = True
        elif isinstance(message, wire.Generate | wire.Infer):
            self._waiting.append(message)
        elif isinstance(message, wire.Abort):
            self._abort(message.run_id)
        elif isinstance(message, wire.Shutdown):
            self._closed = True
            self._waiting.clear()
            self._abort_current.set()

    def _abort(self, run_id: str) -> None:
        if run_id == self._current:
            self._abort_current.set()
            return
        for request in self._waiting:
            if request.run_id == run_id:
                self._waiting.remove(request)
                self._outbox.send(wire.Done(run_id, "abort", 0, 0, None, 0.0, "", ""))
                return

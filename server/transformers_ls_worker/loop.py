"""The worker's threads: one hears the front, one speaks, and a few do runs, one of them at a time.

An abort is heard while a model works, because the thread that reads never computes; and a slow
reader on the other side never slows the model, because the threads that compute never write.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from transformers_ls_worker import wire
from transformers_ls_worker.failures import RunAborted, explain, is_poisoned
from transformers_ls_worker.turns import Baton, KeepState, RunTurn, Turn

__all__ = ["Inbox", "Outbox", "Request", "Runner"]

_BEGUN = 4
"""How many runs may have begun and not ended: each holds the keys and values of its text."""

Request: TypeAlias = wire.Generate | wire.Infer
"""What a run is asked to do."""

Runner = Callable[[Request, Callable[[wire.FromWorker], None], Turn], wire.Done]
"""Does one run: takes the request, where its frames go, and its turn."""


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
    """The runs of the worker: those that wait, and those that take turns.

    Filled by the reading thread; a run is begun by the first thread that is free.
    """

    def __init__(self, stream: BinaryIO, outbox: Outbox) -> None:
        self._stream = stream
        self._outbox = outbox
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque()
        self._begun: dict[str, RunTurn] = {}
        self._confirmed: set[str] = set()
        """Runs that were aborted while they waited for a turn: the front knows that they ended."""
        self._free: set[int] = set()
        self._greeted = False
        self._closed = False
        threading.Thread(target=self._read, name="wire-reader", daemon=True).start()

    def wait_for_hello(self) -> bool:
        """Wait until the front said hello; False when it only said goodbye."""
        with self._changed:
            self._changed.wait_for(lambda: self._greeted or self._closed)
            return self._greeted

    def work(self, run: Runner, keep_state: KeepState) -> None:
        """Do runs until the front says goodbye, a few of them by turns.

        Args:
            run: Does one.
            keep_state: Notes what a run has set in the whole process; see `Baton`.
        """
        baton = Baton(keep_state)
        for number in range(_BEGUN):
            name = f"run-{number}"
            threading.Thread(
                target=self._work, args=(number, run, baton), name=name, daemon=True
            ).start()
        with self._changed:
            self._changed.wait_for(lambda: self._closed and not self._begun)

    def _work(self, number: int, run: Runner, baton: Baton) -> None:
        """Do runs in this thread, one after the other."""
        while True:
            request, turn = self._next(number, baton)
            try:
                with baton.hold(turn):
                    ending = self._do(run, request, turn)
            except RunAborted:
                ending = _aborted(request.run_id)
            with self._changed:
                del self._begun[request.run_id]
                if request.run_id not in self._confirmed:
                    self._outbox.send(ending)
                self._confirmed.discard(request.run_id)
                self._changed.notify_all()

    def _next(self, number: int, baton: Baton) -> tuple[Request, RunTurn]:
        """Wait for a run for this thread."""
        with self._changed:
            self._free.add(number)
            # The first thread does all it can: each one has a pool of computing threads, and memory
            # of its own.
            self._changed.wait_for(lambda: self._waiting and number == min(self._free))
            self._free.discard(number)
            request = self._waiting.popleft()
            turn = self._begun[request.run_id] = RunTurn(baton)
            self._changed.notify_all()
            return request, turn

    def _do(self, run: Runner, request: Request, turn: Turn) -> wire.FromWorker:
        """Do a run and return its end; where no other run can succeed, end the process."""
        try:
            return run(request, self._outbox.send, turn)
        except Exception as error:  # noqa: BLE001 - one run's failure must not end the others
            # Frames and type only: the message of an exception may quote the user's text.
            traceback.print_tb(error.__traceback__, file=sys.stderr)
            sys.stderr.write(f"{type(error).__name__}\n")
            why = explain(error)
            failed = wire.Failed(request.run_id, why.code, why.message, why.hint)
            if is_poisoned(error):
                self._outbox.send(failed)
                self._outbox.close()
                os._exit(1)
            return failed

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
            for turn in self._begun.values():
                turn.abort()

    def _abort(self, run_id: str) -> None:
        if (turn := self._begun.get(run_id)) is not None:
            if turn.abort() and run_id not in self._confirmed:
                self._confirmed.add(run_id)
                self._outbox.send(_aborted(run_id))
            return
        for request in self._waiting:
            if request.run_id == run_id:
                self._waiting.remove(request)
                self._outbox.send(_aborted(run_id))
                return


def _aborted(run_id: str) -> wire.Done:
    """Return the end of a run that was aborted while it did not compute."""
    return wire.Done(run_id, "abort", 0, 0, None, 0.0, "", "")

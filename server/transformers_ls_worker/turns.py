"""Runs share the device by turns: who holds the baton computes, and nobody else.

One device computes two runs at once no faster than one after the other, and two that allocate at
the same moment run out of memory together. So a run holds the baton while it computes, and passes
it on between two steps when its time is over and another run waits. All else (reading its frames,
hearing its abort) needs no baton.

The baton goes around in order. A run that has just come is served before those that have had a
turn, so that a short one is over before it was noticed; but of two turns, at least one goes to those
that were passed, so that no crowd of short runs starves a long one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from transformers_ls_worker.failures import RunAborted

__all__ = ["Baton", "KeepState", "RunTurn", "Turn"]

_QUANTUM = 0.1
"""Seconds that a run computes while another one waits: some decode steps. Changing costs nothing that
could be measured (`bench/turns.py`), and a short run is over in twice the time that it takes alone."""

KeepState: TypeAlias = Callable[[], Callable[[], None]]
"""Notes what a run has set in the whole process; what it returns sets it so again."""


class Turn(Protocol):
    """A run's say in who computes; given to it with its request."""

    def aborted(self) -> bool:
        """Whether the run was aborted; cheap enough to ask before each layer of a model."""
        ...

    def give_way(self, *, at_once: bool = False) -> None:
        """Let other runs compute if it is their turn; called wherever a run can pause.

        Whatever the run keeps in global state (torch's random numbers, its number of threads) is
        as it was when this returns. The run may have been aborted meanwhile.

        Args:
            at_once: Whether to do so before the run's time is over, since it waits for another one.
                It holds no memory yet.
        """
        ...

    def has_company(self) -> bool:
        """Whether other runs have begun, and hold memory of the device."""
        ...

    def wait_alone(self) -> None:
        """Wait until those runs have ended, since this one needs their memory.

        No other run begins before this one has ended. The run may have been aborted meanwhile.
        """
        ...


class RunTurn:
    """The turn of one run among those that share a baton."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._abort = threading.Event()
        self.aborted = self._abort.is_set

    def abort(self) -> bool:
        """End the run at its next question, or as soon as it has the next turn.

        Returns:
            Whether it waits for that turn: it computes nothing more.
        """
        self._abort.set()
        return self._baton.hurry(self)

    def give_way(self, *, at_once: bool = False) -> None:
        """Let other runs compute if it is their turn; see `Turn`."""
        self._baton.pass_on(self, at_once=at_once)

    def has_company(self) -> bool:
        """Whether other runs hold memory; see `Turn`."""
        return self._baton.has_company()

    def wait_alone(self) -> None:
        """Wait until no other run holds memory; see `Turn`."""
        self._baton.wait_alone(self)


class Baton:
    """Held by the one run that computes.

    Args:
        keep_state: Called when the baton is passed on; its result when the run has it back.
        quantum: Seconds that a run may hold it while another one waits.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        keep_state: KeepState,
        *,
        quantum: float = _QUANTUM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep_state = keep_state
        self._quantum = quantum
        self._clock = clock
        self._changed = threading.Condition()
        self._holder: RunTurn | None = None
        self._since = 0.0
        self._new: deque[RunTurn] = deque()
        self._paused: deque[RunTurn] = deque()
        self._empty: set[RunTurn] = set()
        """Those of the paused runs that hold no memory, since they wait for another one to end."""
        self._alone: deque[RunTurn] = deque()
        """Runs that wait until no other one holds memory; nor do they."""
        self._sole: RunTurn | None = None
        """The first of those, once it has its turn: it keeps it to its end."""
        self._passed = False
        """Whether the last turn went to a new run, past those that were paused."""
        self._hurried = False
        """Whether a run that was aborted waits: it needs its turn only to end."""

    @contextmanager
    def hold(self, turn: RunTurn) -> Iterator[None]:
        """Wait for the run's first turn, and hold the baton, but for pauses, until the end.

        Raises:
            RunAborted: The run was aborted before its first turn.
        """
        with self._changed:
            self._new.append(turn)
            self._hand_over_if_free()
            self._changed.wait_for(lambda: self._holder is turn or turn.aborted())
            if self._holder is not turn:
                self._new.remove(turn)
                raise RunAborted
        try:
            yield
        finally:
            with self._changed:
                self._holder = None
                if self._sole is turn:
                    self._sole = None
                self._hand_over_if_free()

    def pass_on(self, turn: RunTurn, *, at_once: bool) -> None:
        """Pass the baton on if it is time, and wait until it comes back."""
        # Asked before each layer of a model: without a lock, since a moment later will do as well.
        if self._sole is turn or not (self._new or self._paused):
            return
        if not (at_once or self._hurried or self._clock() - self._since >= self._quantum):
            return
        self._wait(turn, self._paused, empty=at_once)

    def has_company(self) -> bool:
        """Whether paused runs hold memory."""
        with self._changed:
            return any(turn not in self._empty for turn in self._paused)

    def wait_alone(self, turn: RunTurn) -> None:
        """Pass the baton on, and wait until no other run holds memory."""
        self._wait(turn, self._alone)

    def _wait(self, turn: RunTurn, queue: deque[RunTurn], *, empty: bool = False) -> None:
        restore = self._keep_state()
        with self._changed:
            queue.append(turn)
            if empty:
                self._empty.add(turn)
            self._holder = None
            self._hand_over_if_free()
            self._changed.wait_for(lambda: self._holder is turn)
        restore()

    def hurry(self, turn: RunTurn) -> bool:
        """Take notice that a run was aborted; return whether it waits for a turn."""
        with self._changed:
            waits = turn in self._paused or turn in self._alone
            self._hurried = self._hurried or waits
            self._changed.notify_all()
            return waits or turn in self._new

    def _hand_over_if_free(self) -> None:
        if self._holder is not None or not (turn := self._next()):
            return
        self._holder = turn
        self._empty.discard(turn)
        self._since = self._clock()
        self._hurried = any(turn.aborted() for turn in (*self._paused, *self._alone))
        self._changed.notify_all()

    def _next(self) -> RunTurn | None:
        """Take the run whose turn it is out of its queue."""
        for queue in (self._paused, self._alone):
            for turn in queue:
                if turn.aborted():
                    queue.remove(turn)
                    return turn
        if self._alone:
            if any(turn not in self._empty for turn in self._paused):
                return self._paused.popleft()
            self._sole = self._alone.popleft()
            return self._sole
        fresh = bool(self._new) and not (self._passed and self._paused)
        self._passed = fresh and bool(self._paused)
        queue = self._new if fresh else self._paused
        return queue.popleft() if queue else None

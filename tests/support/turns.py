"""Turns for runs that are done without the worker's loop."""

from __future__ import annotations

from collections.abc import Callable


class AloneTurn:
    """The turn of a run that nobody else waits for.

    Args:
        aborted: Whether it was aborted.
    """

    def __init__(self, aborted: Callable[[], bool] = lambda: False) -> None:
        self.aborted = aborted

    def give_way(self, *, at_once: bool = False) -> None:
        """Nobody else computes."""

    def has_company(self) -> bool:
        """Nobody else holds memory."""
        return False

    def wait_alone(self) -> None:
        """It is alone already."""

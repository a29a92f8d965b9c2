"""The runs in progress: each has one owner, one id, one cancel, one end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from transformers_ls.errors import RunCancelledError, UsageError

__all__ = ["RunRegistry"]

_Result = TypeVar("_Result")


class RunRegistry:
    """Runs by id; a run is an asyncio task, and cancelling it stops its compute."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._on_change = on_change

    @property
    def ids(self) -> list[str]:
        """The ids of the runs in progress, oldest first."""
        return list(self._tasks)

    async def run(self, run_id: str, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do a piece of work under an id, until it ends or is cancelled.

        Raises:
            UsageError: The id is taken.
            RunCancelledError: The run was cancelled, by its id or with the caller.
        """
        if run_id in self._tasks:
            raise UsageError(f"There is a run with the id {run_id!r} already.")
        task = asyncio.ensure_future(_awaited(work))
        self._tasks[run_id] = task
        self._on_change()
        try:
            return await task
        except asyncio.CancelledError:
            # The run is over when its task is, also for those who cancel it twice. The compute was
            # told to stop by then; `engine.status()` is busy until it has.
            task.cancel()
            while not task.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            raise RunCancelledError("The run was stopped.") from None
        finally:
            self._tasks.pop(run_id, None)
            self._on_change()

    def cancel(self, run_id: str) -> bool:
        """Stop a run; False when no such run is in progress."""
        task = self._tasks.get(run_id)
        return task is not None and task.cancel()

    async def end_all(self) -> None:
        """Stop every run and wait for their ends."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _awaited(work: Callable[[], Awaitable[_Result]]) -> _Result:
    return await work()

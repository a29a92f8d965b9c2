"""Work in steps: whoever does it may let others in between, or go on with it in another thread.

Before each step the work says what it will cost, so that a short one can be done at once, on an event
loop, and a long one be handed over before it holds anybody up.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Generic, TypeVar

from transformers_ls.text.turns import give_way

__all__ = ["Done", "Steps", "begin", "run"]

Result = TypeVar("Result")
Steps = Generator[int, None, Result]
"""Yields the cost of the next step, in characters for a parser to read: some 0.25 µs for each."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """What came of work that was begun and is already done."""

    result: Result


def run(steps: Steps[Result]) -> Result:
    """Do all that is left of some work; other threads get the interpreter between its steps."""
    try:
        while True:
            next(steps)
            give_way()
    except StopIteration as done:
        result: Result = done.value
        return result


def begin(steps: Steps[Result], cost: int) -> Done[Result] | None:
    """Do some work if it costs no more than so much; None when there is more left of it."""
    try:
        while cost >= 0:
            cost -= next(steps)
    except StopIteration as done:
        return Done(done.value)
    return None

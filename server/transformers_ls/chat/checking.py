"""Checks the chats of a document that is being edited: each row once, until it changes."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from transformers_ls.chat.conversation import LINE_LANGUAGES
from transformers_ls.chat.dataset import CountMany, DatasetChecker, LineCheck, is_row
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.problems import Problem
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate
from transformers_ls.chat.window import TokenLimit
from transformers_ls.text.rows import rows_of
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.turns import in_turns

__all__ = ["ChatChecker", "CheckContext", "CheckProgress"]

_SLICE: Final = 1 << 18
_TURN: Final = 64
"""Rows, which take some tenths of a millisecond to name; then others may compute."""
_FEW_ROWS: Final = 64
"""So many rows are checked where previews render; more get processes of their own."""
_KEPT_ROWS: Final = 400_000
_KEPT_CONTEXTS: Final = 4
_NICE: Final = 5
"""With a third of the weight of other processes they still get what these leave."""
_STEPS: Final = 20
"""How often the problems until now are told at most: each time, all of them are put in place."""


@dataclass(frozen=True)
class CheckContext:
    """What chats are checked against; rows are checked anew when any of it changes.

    `counter` names the counter that `count_many` is, since functions do not compare.
    """

    template: ChatTemplate
    specials: frozenset[str] = frozenset()
    limit: TokenLimit | None = None
    counter: str = ""

    def __hash__(self) -> int:
        return hash((self.template.source, self.specials, self.limit, self.counter))


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """The problems found until now, in document order and at their places, and how far it is.

    `done` and `total` count rows: the lines of a dataset, or the one document.
    """

    problems: tuple[Problem, ...]
    done: int
    total: int


class ChatChecker:
    """Remembers what was found in each row, by its text."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._known: OrderedDict[CheckContext, OrderedDict[bytes, LineCheck]] = OrderedDict()

    async def check(
        self,
        language: str,
        snapshot: Snapshot,
        context: CheckContext,
        count_many: CountMany | None,
    ) -> AsyncGenerator[CheckProgress]:
        """Check a document; yields now and then, the last time when all of it is checked.

        Closing the iterator stops the work; what was found until then is remembered.

        Args:
            language: As `find_conversations` takes it.
            snapshot: The document.
            context: What it is checked against.
            count_many: Counts tokens, for `context.limit`; called in threads.
        """
        by_line = language.lower() in LINE_LANGUAGES
        known = self._known_in(context)
        rows, keys, new = await asyncio.to_thread(_rows, snapshot, language, known)
        checker = DatasetChecker(
            context.template,
            context.specials,
            count_many,
            limit=context.limit if count_many else None,
            language="json" if by_line else language,
            # The user is typing meanwhile.
            processes=max(1, (os.cpu_count() or 1) // 2),
            limits=Limits(nice=_NICE),
            repairs=True,
            sandbox=self._sandbox if len(new) <= _FEW_ROWS else None,
        )
        done = len(rows) - len(new)
        step = max(_FEW_ROWS, len(rows) // _STEPS)
        try:
            async with aclosing(checker.check([rows[n] for n in new])) as checks:
                async for found in checks:
                    known[keys[new[found.number]]] = found
                    done += 1
                    if done % step == 0 and done < len(rows):
                        placed = await asyncio.to_thread(_placed, rows, keys, known)
                        yield CheckProgress(placed, done, len(rows))
        finally:
            await checker.close()
        placed = await asyncio.to_thread(_placed, rows, keys, known)
        while len(known) > _KEPT_ROWS:
            known.popitem(last=False)
        yield CheckProgress(placed, len(rows), len(rows))

    def _known_in(self, context: CheckContext) -> OrderedDict[bytes, LineCheck]:
        known = self._known.setdefault(context, OrderedDict())
        self._known.move_to_end(context)
        while len(self._known) > _KEPT_CONTEXTS:
            self._known.popitem(last=False)
        return known


def _rows(
    snapshot: Snapshot, language: str, known: Container[bytes]
) -> tuple[list[str], list[bytes], list[int]]:
    """Return the rows of a document, a name for each, and the numbers of those not known yet.

    It is a name for their contents: the rows of a large dataset are not kept.
    """
    rows = [*rows_of(snapshot)] if language.lower() in LINE_LANGUAGES else [snapshot.text]
    keys = [_key(row, language) for row in in_turns(rows, _TURN)]
    return rows, keys, [n for n, key in enumerate(keys) if key not in known and is_row(rows[n])]


def _key(row: str, language: str) -> bytes:
    name = blake2b(language.encode() + b"\0", digest_size=16)
    # A document may be one row; its encoding at once would keep other threads out.
    for start in range(0, len(row), _SLICE):
        name.update(row[start : start + _SLICE].encode("utf-8", "surrogatepass"))
    return name.digest()


def _placed(
    rows: Sequence[str], keys: Sequence[bytes], known: Mapping[bytes, LineCheck]
) -> tuple[Problem, ...]:
    """Return the problems of all rows, at their places in the document."""
    found: list[Problem] = []
    start = 0
    for row, key in in_turns(zip(rows, keys, strict=True), _TURN):
        if (check := known.get(key)) is not None:
            found += [problem.shifted(start) for problem in check.problems]
        start += len(row) + 1
    return tuple(found)

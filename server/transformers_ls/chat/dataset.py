"""Checks datasets of chats by the line: what is wrong, and how long the prompts are.

Lines go in batches, each to one of several rendering processes; while these render, threads read
the next lines and count the last prompts.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Final

from transformers_ls.chat.attribution import special_pattern
from transformers_ls.chat.conversation import Conversation, find_conversations
from transformers_ls.chat.inspect import add_repairs, examine
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.problems import Problem
from transformers_ls.chat.prompt import conversation_request
from transformers_ls.chat.rows import malformed, plain_chat
from transformers_ls.chat.sandbox import RenderRequest, Sandbox, Study
from transformers_ls.chat.template import ChatTemplate
from transformers_ls.chat.window import TokenLimit, too_long
from transformers_ls.errors import TemplateError
from transformers_ls.text.turns import give_way

__all__ = ["CountMany", "DatasetChecker", "LineCheck", "is_row"]

_BATCH: Final = 128
_AT_ONCE: Final = 32
"""Rows, whose problems the event loop puts in order in a millisecond."""
_MOST_PROCESSES: Final = 4

CountMany = Callable[[Sequence[str]], list[int]]
Lengths = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class LineCheck:
    """What was found in one line, counted from 0; places of problems are code points of the line.

    `tokens` has one number for each of its chats, None where there is no prompt.
    """

    number: int
    problems: tuple[Problem, ...]
    tokens: Lengths


@dataclass(slots=True)
class _Row:
    """A line and its chats; `plain` says that they have no places."""

    number: int
    line: str
    chats: list[Conversation]
    plain: bool = False
    malformed: Problem | None = None
    requests: list[RenderRequest] = field(default_factory=list)
    studies: list[Study | TemplateError] = field(default_factory=list)


class DatasetChecker:
    """Checks lines against a template; `close` it at the end.

    Args:
        template: The template, with its special tokens.
        specials: The tokenizer's special tokens.
        count_many: Counts the tokens of texts; called in threads. None leaves lengths out.
        limit: How many tokens a prompt may have.
        processes: How many processes render; by default one for each core but ours.
        language: In which rows are written: "json", or what `find_conversations` knows.
        strict: Whether a row that is no JSON, or holds no chat, is a problem.
        compared: In how many of the first rows the prompts of a chat's turns are compared; None for
            all. It costs half of all renders, and what it finds is the template's way, not a row's.
        repairs: Whether refused chats get the repairs that the template accepts.
        limits: Of each render.
        sandbox: Renders instead of processes of our own, and is not closed.
    """

    def __init__(
        self,
        template: ChatTemplate,
        specials: frozenset[str] = frozenset(),
        count_many: CountMany | None = None,
        *,
        limit: TokenLimit | None = None,
        processes: int | None = None,
        language: str = "json",
        strict: bool = False,
        compared: int | None = None,
        repairs: bool = False,
        limits: Limits | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._template = template
        self._specials = specials
        self._pattern = special_pattern(specials)
        self._count_many = count_many
        self._limit = limit
        self._language = language
        self._strict = strict
        self._compared = compared
        self._repairs = repairs
        number = processes or min(_MOST_PROCESSES, os.cpu_count() or 1)
        self._own = [] if sandbox else [Sandbox(limits) for _ in range(number)]
        self._sandboxes = [sandbox] if sandbox else self._own

    async def check(self, lines: Iterable[str]) -> AsyncGenerator[LineCheck]:
        """Yield what is found, line by line in their order; blank lines are no rows.

        Args:
            lines: The lines, without their ends. They are drawn as needed.
        """
        batches = _batches(lines)
        running: deque[asyncio.Task[list[LineCheck]]] = deque()
        turns = count()
        try:
            while True:
                # Two for each process: one renders while another is read, counted and examined.
                while len(running) < 2 * len(self._sandboxes):
                    batch = next(batches, None)
                    if batch is None:
                        break
                    sandbox = self._sandboxes[next(turns) % len(self._sandboxes)]
                    running.append(asyncio.create_task(self._check_batch(batch, sandbox)))
                if not running:
                    return
                for found in await running.popleft():
                    yield found
        finally:
            for task in running:
                task.cancel()

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(sandbox.close() for sandbox in self._own))

    async def _check_batch(
        self, batch: Sequence[tuple[int, str]], sandbox: Sandbox
    ) -> list[LineCheck]:
        rows = await asyncio.to_thread(self._read, batch)
        requests = [request for row in rows for request in row.requests]
        compared = self._compared is None or rows[0].number < self._compared
        studies = iter(await sandbox.study(requests, prefixes=compared))
        for row in rows:
            row.studies = list(islice(studies, len(row.requests)))
        tokens = await asyncio.to_thread(self._count_prompts, rows)
        found = await asyncio.to_thread(self._examine, rows, tokens)
        checks = []
        for row, each, lengths in zip(rows, found, tokens, strict=True):
            problems = tuple(await self._finish(row, each, lengths, sandbox))
            checks.append(LineCheck(row.number, problems, lengths))
            if len(checks) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return checks

    def _read(self, batch: Sequence[tuple[int, str]]) -> list[_Row]:
        rows = []
        for number, line in batch:
            give_way()
            row = self._row(number, line)
            row.requests = [
                conversation_request(self._template, chat, add_generation_prompt=False)
                for chat in row.chats
            ]
            rows.append(row)
        return rows

    def _row(self, number: int, line: str) -> _Row:
        # A special token in a row is a problem, and that needs a place.
        if self._language == "json" and not (self._pattern and self._pattern.search(line)):
            plain = plain_chat(line)
            if plain is not None:
                return _Row(number, line, [plain], plain=True)
        chats = find_conversations(self._language, line)
        wrong = malformed(line, self._language, chats) if self._strict else None
        if wrong is None:
            return _Row(number, line, chats)
        # An editor takes what parses of a half-typed chat; a dataset has to be whole.
        return _Row(number, line, [], malformed=wrong)

    def _count_prompts(self, rows: Sequence[_Row]) -> list[Lengths]:
        """Count all prompts in one call."""
        prompts = [
            None if isinstance(study, TemplateError) else study.text
            for row in rows
            for study in row.studies
        ]
        texts = [prompt for prompt in prompts if prompt is not None]
        counts = iter(self._count_many(texts) if self._count_many and texts else [])
        lengths = iter([None if prompt is None else next(counts, None) for prompt in prompts])
        return [tuple(islice(lengths, len(row.studies))) for row in rows]

    def _examine(
        self, rows: Sequence[_Row], tokens: Sequence[Lengths]
    ) -> list[list[list[Problem]]]:
        """Return the problems of each chat of each row."""
        found = []
        for row, lengths in zip(rows, tokens, strict=True):
            give_way()
            problems = self._problems(row)
            if row.plain and (any(problems) or any(map(self._is_over, lengths))):
                row.chats, row.plain = find_conversations(self._language, row.line), False
                problems = self._problems(row)
            found.append(problems)
        return found

    def _problems(self, row: _Row) -> list[list[Problem]]:
        text = "" if row.plain else row.line
        return [
            examine(chat, text, request, study, self._specials)
            for chat, request, study in zip(row.chats, row.requests, row.studies, strict=True)
        ]

    def _is_over(self, tokens: int | None) -> bool:
        return self._limit is not None and tokens is not None and tokens > self._limit.tokens

    async def _finish(
        self, row: _Row, problems: list[list[Problem]], tokens: Lengths, sandbox: Sandbox
    ) -> list[Problem]:
        """Add what needs more renders: repairs of refused chats, and turns that are cut."""
        found = [row.malformed] if row.malformed else []
        for index, (chat, request, study) in enumerate(
            zip(row.chats, row.requests, row.studies, strict=True)
        ):
            each, length = problems[index], tokens[index]
            if not isinstance(study, TemplateError):
                if study.refusal is not None and self._repairs:
                    each = await add_repairs(each, chat, row.line, request, sandbox)
                elif study.text is not None and self._limit is not None and self._is_over(length):
                    more = (self._count, self._limit, length)
                    each = each + await too_long(chat, request, study.text, sandbox, *more)
            found += each
        return sorted(found, key=lambda problem: (problem.start, problem.end))

    def _count(self, text: str) -> int:
        return self._count_many([text])[0] if self._count_many else 0


def _batches(lines: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    rows = ((number, line) for number, line in enumerate(lines) if is_row(line))
    while batch := list(islice(rows, _BATCH)):
        yield batch


def is_row(line: str) -> bool:
    """Tell whether there is anything in a line."""
    return bool(line) and not line.isspace()

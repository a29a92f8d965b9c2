"""Runs a task that writes: pieces, prompts, streamed deltas, and the facts of the run.

A text goes to the model in pieces where the task says so (sentences for a small base model,
paragraphs for a chat model), several at once; what stands between them is copied. A text that is
longer than the context window is cut: into more pieces, or, for a summary, into parts whose
summaries are summarized again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from transformers_ls.engines.base import BatchItem, Engine, Stage, StageListener
from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.answers import Answer
from transformers_ls.tasks.facts import RunFacts
from transformers_ls.tasks.pieces import Piece, paragraphs, sentences
from transformers_ls.tasks.planner import split
from transformers_ls.tasks.request import WritingRequest
from transformers_ls.tasks.streams import stream

__all__ = ["WritingRun"]

_TEMPLATE_TOKENS = 96
"""Room for what a chat template writes around a message: the default system prompts of known
templates have up to about 80 tokens."""

_TURN_TOKENS = 16
"""Room for what it writes around each further message: a role and some special tokens."""


@dataclass(slots=True)
class WritingRun:
    """One run of such a task: iterate `deltas()` once, then read `text` and `facts`."""

    engine: Engine
    request: WritingRequest
    on_stage: StageListener | None = None
    clock: Callable[[], float] = time.perf_counter
    batch: int = 8
    """How many pieces are computed at once."""
    text: str = ""
    facts: RunFacts = field(init=False)
    _started: float | None = None
    _prompts: int = 0
    _told_thinking: bool = False

    def __post_init__(self) -> None:
        self.facts = RunFacts(model=self.request.model)

    async def deltas(self) -> AsyncGenerator[str, None]:
        """Stream the result; closing the iterator stops the compute.

        Raises:
            UsageError: The text is empty.
            TransformersLsError: Whatever the engine met.
        """
        if not self.request.text.strip():
            raise UsageError("The selection is empty.", "Select the text to work on first.")
        self._started = started = self.clock()
        pieces = await self._plan()
        if not any(piece.is_prose for piece in pieces):
            raise UsageError("The selection holds no words.", "Select the text to work on first.")
        answered = False
        for group in _groups(pieces, self.batch):
            answers = self._answers(group)
            async with aclosing(self._answer(group, answers)) as shown:
                async for delta in shown:
                    self.text += delta
                    yield delta
            answered = answered or any(not (answer.empty or answer.lost) for answer in answers)
        if not answered:
            if any(answer.thinks for answer in answers):
                raise EngineError(
                    f"The model was still reasoning after {self.request.max_new_tokens:,} tokens.",
                    "Raise `transformers.generation.maxNewTokens`.",
                )
            raise EngineError(
                "The model answered with nothing that can be used.",
                "Try again, or choose another model.",
            )
        self.facts.parts = self._prompts
        self.facts.seconds = self.clock() - started
        self.facts.destination = self.engine.status().destination

    async def perform(self, on_delta: Callable[[str], None]) -> None:
        """Do the run; cancelling it stops the compute. See `deltas` for what it raises."""
        async with aclosing(self.deltas()) as deltas:
            async for delta in deltas:
                on_delta(delta)

    async def _plan(self) -> list[Piece]:
        """Cut the text into what is asked piece by piece, and what is copied."""
        request = self.request
        if request.unit == "text":
            whole = request.text.strip()
            if request.writing.merges:
                whole = await self._merged(whole)
            return [Piece(whole, is_prose=True)]
        cut = sentences if self.request.unit == "sentence" else paragraphs
        found: list[Piece] = []
        for piece in cut(request.text):
            if not piece.is_prose:
                found.append(piece)
                continue
            for part in await self._split(piece.text):
                prose = part.rstrip()
                found.append(Piece(prose, is_prose=True))
                if part[len(prose) :]:
                    found.append(Piece(part[len(prose) :], is_prose=False))
        return found

    async def _merged(self, text: str) -> str:
        """Replace a text that is too long by the answers to its parts, until it fits."""
        while len(parts := await self._split(text)) > 1:
            answers: list[Answer] = []
            for start in range(0, len(parts), self.batch):
                if self.on_stage is not None:
                    percent = 100 * start // len(parts)
                    message = f"Part {start + 1} of {len(parts)}"
                    self.on_stage(Stage("running", message, percent))
                group = [Piece(part, is_prose=True) for part in parts[start : start + self.batch]]
                answers += (some := self._answers(group))
                async with aclosing(self._answer(group, some)) as unseen:
                    async for _ in unseen:
                        pass
            shorter = "\n\n".join(answer.text for answer in answers if not answer.empty)
            if len(shorter) >= len(text):
                raise EngineError(
                    "The answers to the parts are as long as the text.",
                    "Select less text, or choose a model with a larger context window.",
                )
            text = shorter
        return text

    async def _split(self, text: str) -> list[str]:
        """Cut a text into parts whose prompts leave room for the longest answer."""
        request = self.request
        if request.window is None or request.count is None:
            return [text]
        if request.kind in ("seq2seq", "t5"):
            # The answer has a window of its own.
            budget = request.window - _TEMPLATE_TOKENS
        else:
            prompt = request.prompt("")
            written = [prompt] if isinstance(prompt, str) else [str(m["content"]) for m in prompt]
            around = sum(map(request.count, written)) + _TEMPLATE_TOKENS
            around += _TURN_TOKENS * (len(written) - 1)
            budget = request.window - request.max_new_tokens - around
        # Where the longest answer would fill the window, it is the answer that has to be shorter.
        return await asyncio.to_thread(split, text, max(budget, request.window // 4), request.count)

    def _answers(self, group: Sequence[Piece]) -> list[Answer]:
        # Of a whole text no part can be kept, and below it nothing is lost.
        careful = self.request.writing.placement == "replace" and self.request.unit != "text"
        return [Answer(piece.text, careful=careful) for piece in group if piece.is_prose]

    async def _answer(
        self, group: Sequence[Piece], answers: Sequence[Answer]
    ) -> AsyncGenerator[str, None]:
        """Ask for some pieces at once, and stream the answers with what stands between, in order."""
        waiting = _Waiting(group, answers, keeps=self.request.unit != "text")
        for delta in waiting.shown():
            yield delta
        if answers:
            self._prompts += len(answers)
            texts = [answer.source for answer in answers]
            items = stream(self.engine, self.request, texts, self.on_stage, self.facts.add)
            async with aclosing(items):
                async for item in items:
                    self._take(item, answers[item.row])
                    for delta in waiting.shown():
                        yield delta
        self.facts.kept += waiting.kept

    def _take(self, item: BatchItem, answer: Answer) -> None:
        if item.text:
            if not self.facts.time_to_first_token and item.text.strip():
                self.facts.time_to_first_token = self.clock() - (self._started or 0.0)
            answer.push(item.text)
            if answer.thinks and self.on_stage is not None and not self._told_thinking:
                self._told_thinking = True
                self.on_stage(Stage("running", "The model is reasoning"))
        if item.finish_reason is not None:
            answer.end()
            self.facts.prompt_tokens += item.prompt_tokens
            self.facts.completion_tokens += item.completion_tokens
            # One piece that hit the limit means the whole result may be cut.
            if item.finish_reason == "length":
                self.facts.finish_reason = "length"


class _Waiting:
    """The pieces of a group that were not shown yet, in order.

    Args:
        group: All pieces.
        answers: The answers to those that are prose.
        keeps: Whether a piece that the model has nothing for stays as it was.
    """

    def __init__(self, group: Sequence[Piece], answers: Sequence[Answer], *, keeps: bool) -> None:
        self.kept = 0
        self._keeps = keeps
        answer = iter(answers)
        self._left = deque(next(answer) if piece.is_prose else piece for piece in group)

    def shown(self) -> Iterator[str]:
        """Yield what can be shown now: up to the first answer that still comes in."""
        while self._left:
            first = self._left[0]
            if isinstance(first, Piece):
                yield first.text
            else:
                if text := first.shown():
                    yield text
                if not first.over:
                    return
                if self._keeps and first.empty:
                    yield first.source
                self.kept += self._keeps and first.changes_nothing
            self._left.popleft()


def _groups(pieces: Sequence[Piece], size: int) -> Iterator[list[Piece]]:
    """Gather pieces so that each group holds at most `size` of prose."""
    group: list[Piece] = []
    prose = 0
    for piece in pieces:
        if piece.is_prose and prose == size:
            yield group
            group, prose = [], 0
        group.append(piece)
        prose += piece.is_prose
    if group:
        yield group

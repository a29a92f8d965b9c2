"""Runs one task on one text: prompts, streamed deltas, and the facts of the run."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from transformers_ls.engines.base import Engine, StageListener
from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.pieces import Piece, sentences

__all__ = ["RunFacts", "TaskRequest", "TaskRun"]


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task on a text."""

    task: Task
    text: str
    model: str
    is_chat: bool
    """True when the model has a chat template, false for a base model."""
    target_language: str = ""
    max_new_tokens: int = 256
    temperature: float = 0.0


@dataclass(slots=True)
class RunFacts:
    """What a run took; times in seconds."""

    model: str
    destination: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    time_to_first_token: float = 0.0
    seconds: float = 0.0
    finish_reason: str = "stop"

    @property
    def tokens_per_second(self) -> float:
        """The decode rate after the first token; 0 when fewer than two tokens came."""
        decoding = self.seconds - self.time_to_first_token
        if self.completion_tokens < 2 or decoding <= 0:
            return 0.0
        return (self.completion_tokens - 1) / decoding


@dataclass(slots=True)
class TaskRun:
    """One run of a task: iterate `deltas()` once, then read `text` and `facts`."""

    engine: Engine
    request: TaskRequest
    on_stage: StageListener | None = None
    clock: Callable[[], float] = time.perf_counter
    text: str = ""
    facts: RunFacts = field(init=False)

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
        started = self.clock()
        async with aclosing(self._pieces(started)) as stream:
            async for delta in stream:
                self.text += delta
                yield delta
        self.facts.seconds = self.clock() - started
        self.facts.destination = self.engine.status().destination

    async def _pieces(self, started: float) -> AsyncGenerator[str, None]:
        request = self.request
        by_sentence = not request.is_chat and request.task.base_unit == "sentence"
        whole = [Piece(request.text.strip(), is_prose=True)]
        asked = answered = 0
        for piece in sentences(request.text) if by_sentence else whole:
            if not piece.is_prose:
                yield piece.text
                continue
            asked += 1
            empty = True
            async with aclosing(self._answer(piece.text)) as stream:
                async for delta in stream:
                    if answered == 0 and empty:
                        self.facts.time_to_first_token = self.clock() - started
                    empty = False
                    yield delta
            answered += not empty
            if empty and by_sentence:
                # A sentence that the model has nothing for stays as it was; it must not vanish.
                yield piece.text
        if not asked:
            raise UsageError("The selection holds no words.", "Select the text to work on first.")
        if not answered:
            raise EngineError(
                "The model answered with nothing.", "Try again, or choose another model."
            )

    async def _answer(self, text: str) -> AsyncGenerator[str, None]:
        """Stream one prompt's answer without the white space around it."""
        pending = ""
        started = False
        async with aclosing(self._stream(text)) as stream:
            async for delta in stream:
                pending += delta
                if not started:
                    pending = pending.lstrip()
                body = pending.rstrip()
                if body:
                    started = True
                    yield body
                    pending = pending[len(body) :]

    def _stream(self, text: str) -> AsyncGenerator[str, None]:
        if self.request.is_chat:
            return self._chat(text)
        return self._continue(text)

    async def _chat(self, text: str) -> AsyncGenerator[str, None]:
        request, task = self.request, self.request.task
        chunks = self.engine.chat_completion(
            task.chat_messages(text, request.target_language),
            model=request.model,
            max_tokens=request.max_new_tokens,
            temperature=request.temperature or None,
            repetition_penalty=task.repetition_penalty,
            on_stage=self.on_stage,
        )
        async with aclosing(chunks) as stream:
            async for chunk in stream:
                if chunk.usage:
                    self._add_usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                for choice in chunk.choices:
                    if choice.finish_reason:
                        self._finish(choice.finish_reason)
                    if choice.delta.content:
                        yield choice.delta.content

    async def _continue(self, text: str) -> AsyncGenerator[str, None]:
        request, task = self.request, self.request.task
        chunks = self.engine.text_generation(
            task.continuation(text, request.target_language),
            model=request.model,
            max_new_tokens=request.max_new_tokens,
            temperature=request.temperature or None,
            repetition_penalty=task.repetition_penalty,
            stop=task.base_stop,
            on_stage=self.on_stage,
        )
        async with aclosing(chunks) as stream:
            async for chunk in stream:
                if chunk.details:
                    self._add_usage(chunk.details.input_length, chunk.details.generated_tokens)
                    self._finish(chunk.details.finish_reason)
                if not chunk.token.special and chunk.token.text:
                    yield chunk.token.text

    def _add_usage(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.facts.prompt_tokens += prompt_tokens
        self.facts.completion_tokens += completion_tokens

    def _finish(self, reason: str) -> None:
        # One piece that hit the limit means the whole result may be cut.
        if self.facts.finish_reason != "length":
            self.facts.finish_reason = "length" if reason == "length" else "stop"

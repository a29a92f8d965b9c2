"""Asks an engine about some texts, whatever kind of model it has."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from transformers_ls.engines.base import BatchItem, Engine, Options, StageListener
from transformers_ls.tasks.request import TaskRequest

__all__ = ["stream"]


async def stream(
    engine: Engine, request: TaskRequest, texts: Sequence[str], on_stage: StageListener | None
) -> AsyncGenerator[BatchItem, None]:
    """Stream the answers to the prompts of some texts, the rows as the engine computes them.

    Raises:
        TransformersLsError: Whatever the engine met.
    """
    if len(texts) > 1:
        items = _many(engine, request, texts, on_stage)
    elif request.kind == "chat":
        items = _chat(engine, request, texts[0], on_stage)
    else:
        items = _continue(engine, request, texts[0], on_stage)
    async with aclosing(items):
        async for item in items:
            yield item


def _options(request: TaskRequest, on_stage: StageListener | None) -> Options:
    options: Options = {
        "temperature": request.temperature or None,
        "repetition_penalty": request.task.repetition_penalty,
        "on_stage": on_stage,
    }
    if request.kind == "base":
        options["stop"] = request.task.base_stop
    if request.kind == "seq2seq" and request.task.needs_language:
        options["languages"] = (request.source_language, request.target_language)
    return options


def _many(
    engine: Engine, request: TaskRequest, texts: Sequence[str], on_stage: StageListener | None
) -> AsyncGenerator[BatchItem, None]:
    return engine.generate_batch(
        [request.prompt(text) for text in texts],
        model=request.model,
        max_new_tokens=request.max_new_tokens,
        **_options(request, on_stage),
    )


async def _chat(
    engine: Engine, request: TaskRequest, text: str, on_stage: StageListener | None
) -> AsyncGenerator[BatchItem, None]:
    chunks = engine.chat_completion(
        request.task.chat_messages(text, request.target_language),
        model=request.model,
        max_tokens=request.max_new_tokens,
        **_options(request, on_stage),
    )
    reason, used = "stop", (0, 0)
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.usage:
                used = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
            for choice in chunk.choices:
                reason = choice.finish_reason or reason
                if choice.delta.content:
                    yield BatchItem(0, choice.delta.content)
    yield BatchItem(0, "", "length" if reason == "length" else "stop", *used)


async def _continue(
    engine: Engine, request: TaskRequest, text: str, on_stage: StageListener | None
) -> AsyncGenerator[BatchItem, None]:
    chunks = engine.text_generation(
        str(request.prompt(text)),
        model=request.model,
        max_new_tokens=request.max_new_tokens,
        **_options(request, on_stage),
    )
    reason, used = "stop", (0, 0)
    async with aclosing(chunks):
        async for chunk in chunks:
            if chunk.details:
                used = (chunk.details.input_length, chunk.details.generated_tokens)
                reason = chunk.details.finish_reason
            if not chunk.token.special and chunk.token.text:
                yield BatchItem(0, chunk.token.text)
    yield BatchItem(0, "", "length" if reason == "length" else "stop", *used)

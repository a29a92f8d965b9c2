"""Asks an engine about some texts, whatever kind of model it has."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers_ls.engines.base import BatchItem, Engine, FactsListener, Options, StageListener
from transformers_ls.tasks.request import WritingRequest

if TYPE_CHECKING:
    from huggingface_hub import ChatCompletionStreamOutput, TextGenerationStreamOutput

__all__ = ["stream"]


async def stream(
    engine: Engine,
    request: WritingRequest,
    texts: Sequence[str],
    on_stage: StageListener | None,
    on_facts: FactsListener | None = None,
) -> AsyncGenerator[BatchItem, None]:
    """Stream the answers to the prompts of some texts, the rows as the engine computes them.

    Raises:
        TransformersLsError: Whatever the engine met.
    """
    options = _options(request, on_stage, on_facts)
    if len(texts) > 1:
        batch = engine.generate_batch(
            [request.prompt(text) for text in texts],
            model=request.model,
            max_new_tokens=request.max_new_tokens,
            **options,
        )
        async with aclosing(batch):
            async for item in batch:
                yield item
        return
    async with aclosing(_pieces(engine, request, texts[0], options)) as pieces:
        reason, used = "stop", (0, 0)
        async for piece in pieces:
            # A remote engine may tell the tokens after the reason, or not at all.
            reason, used = piece.reason or reason, piece.tokens or used
            if piece.text:
                yield BatchItem(0, piece.text)
        yield BatchItem(0, "", "length" if reason == "length" else "stop", *used)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What both of the client's streamed types say."""

    text: str
    reason: str | None
    tokens: tuple[int, int] | None
    """Of the prompt and of the answer."""


async def _pieces(
    engine: Engine, request: WritingRequest, text: str, options: Options
) -> AsyncGenerator[_Piece, None]:
    prompt, model, limit = request.prompt(text), request.model, request.max_new_tokens
    if isinstance(prompt, str):
        tokens = engine.text_generation(prompt, model=model, max_new_tokens=limit, **options)
        async with aclosing(tokens):
            async for token in tokens:
                yield _of_text(token)
    else:
        chunks = engine.chat_completion(prompt, model=model, max_tokens=limit, **options)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield _of_chat(chunk)


def _of_text(token: TextGenerationStreamOutput) -> _Piece:
    text = "" if token.token.special else token.token.text
    if (end := token.details) is None:
        return _Piece(text, None, None)
    return _Piece(text, end.finish_reason, (end.input_length, end.generated_tokens))


def _of_chat(chunk: ChatCompletionStreamOutput) -> _Piece:
    text = "".join(choice.delta.content or "" for choice in chunk.choices)
    reason = next((choice.finish_reason for choice in chunk.choices), None)
    usage = chunk.usage
    return _Piece(text, reason, (usage.prompt_tokens, usage.completion_tokens) if usage else None)


def _options(
    request: WritingRequest, on_stage: StageListener | None, on_facts: FactsListener | None
) -> Options:
    options: Options = {
        "temperature": request.temperature or None,
        "repetition_penalty": request.writing.repetition_penalty,
        "repeats_prompt": request.writing.repeats_prompt,
        "on_stage": on_stage,
        "on_facts": on_facts,
    }
    if request.kind == "base":
        options["stop"] = request.writing.base_stop
    if request.kind == "seq2seq" and request.writing.needs_language:
        options["languages"] = (request.source_language, request.target_language)
    return options

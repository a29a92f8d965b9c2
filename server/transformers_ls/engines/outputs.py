"""What the local engine yields: huggingface_hub's own types, filled from the worker's frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers_ls.engines.base import BatchItem, EngineFacts
from transformers_ls_worker import wire

if TYPE_CHECKING:
    from huggingface_hub import ChatCompletionStreamOutput, TextGenerationStreamOutput

__all__ = [
    "chat_delta",
    "chat_end",
    "facts_of",
    "generation_delta",
    "generation_end",
    "row_end",
]

_CHAT_REASONS = {"eos": "stop", "stop": "stop", "length": "length"}
_GENERATION_REASONS = {"eos": "eos_token", "stop": "stop_sequence", "length": "length"}


def facts_of(done: wire.Done) -> EngineFacts:
    """Return what the worker measured."""
    return EngineFacts(
        device=done.device,
        dtype=done.dtype,
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
        time_to_first_token=done.time_to_first_token,
        seconds=done.seconds,
        load_seconds=done.load_seconds,
        seed=done.seed,
        memory_bytes=done.memory_bytes,
        reused_tokens=done.reused_tokens,
        accepted_tokens=done.accepted_tokens,
    )


def chat_delta(run_id: str, model: str, text: str) -> ChatCompletionStreamOutput:
    """Return one piece of a chat's answer."""
    return _chat(run_id, model, text, finish_reason=None)


def chat_end(run_id: str, model: str, done: wire.Done) -> ChatCompletionStreamOutput:
    """Return the last item of a chat's answer: no text, but why it ended and what it used."""
    from huggingface_hub.inference._generated.types.chat_completion import (
        ChatCompletionStreamOutputUsage,
    )

    item = _chat(run_id, model, "", finish_reason=_CHAT_REASONS[done.finish_reason])
    item.usage = ChatCompletionStreamOutputUsage(
        completion_tokens=done.completion_tokens,
        prompt_tokens=done.prompt_tokens,
        total_tokens=done.completion_tokens + done.prompt_tokens,
    )
    return item


def generation_delta(index: int, text: str) -> TextGenerationStreamOutput:
    """Return one piece of a continuation."""
    return _generation(index, text)


def generation_end(index: int, text: str, done: wire.Done) -> TextGenerationStreamOutput:
    """Return the last item of a continuation: the whole text, and the details."""
    from huggingface_hub.inference._generated.types.text_generation import (
        TextGenerationStreamOutputStreamDetails,
    )

    item = _generation(index, "")
    item.generated_text = text
    reason: Any = _GENERATION_REASONS[done.finish_reason]
    item.details = TextGenerationStreamOutputStreamDetails(
        finish_reason=reason,
        generated_tokens=done.completion_tokens,
        input_length=done.prompt_tokens,
        seed=done.seed,
    )
    return item


def row_end(frame: wire.RowEnd | wire.Done) -> BatchItem:
    """Return the last item of a batch's row: no text, but why it ended and what it used."""
    return BatchItem(
        frame.row if isinstance(frame, wire.RowEnd) else 0,
        "",
        "length" if frame.finish_reason == "length" else "stop",
        frame.prompt_tokens,
        frame.completion_tokens,
    )


def _chat(
    run_id: str, model: str, text: str, finish_reason: str | None
) -> ChatCompletionStreamOutput:
    from huggingface_hub import (
        ChatCompletionStreamOutput,
        ChatCompletionStreamOutputChoice,
        ChatCompletionStreamOutputDelta,
    )

    delta = ChatCompletionStreamOutputDelta(role="assistant", content=text)
    choice = ChatCompletionStreamOutputChoice(delta=delta, index=0, finish_reason=finish_reason)
    return ChatCompletionStreamOutput(
        choices=[choice],
        created=int(time.time()),
        id=run_id,
        model=model,
        system_fingerprint="transformers-ls",
    )


def _generation(index: int, text: str) -> TextGenerationStreamOutput:
    from huggingface_hub import TextGenerationStreamOutput, TextGenerationStreamOutputToken

    # The worker sends whole characters, which may be several tokens or the end of one: no id.
    token = TextGenerationStreamOutputToken(id=-1, logprob=0.0, special=False, text=text)
    return TextGenerationStreamOutput(index=index, token=token)

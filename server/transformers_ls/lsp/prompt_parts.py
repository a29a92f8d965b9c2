"""What the parts of a rendered chat cost: its messages, what stands around them, what is trained."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformers_ls.text.turns import give_way
from transformers_ls.tokens.parts import Part, Tokens, gaps_between

if TYPE_CHECKING:
    from transformers_ls.lsp.chats import RenderedChat
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tokens.counter import Counter

__all__ = ["PromptParts", "parts_of"]


@dataclass(frozen=True, slots=True)
class PromptParts:
    """The parts of a prompt, in code points, with their tokens.

    The tokens of `messages` and `overhead` add up to `tokens`. `messages` has None where the place of
    a message is not known; then neither `around` nor `overhead` is.
    """

    tokens: int
    messages: tuple[Part | None, ...]
    around: tuple[Part, ...] | None
    overhead: int | None
    trained: int


async def parts_of(server: TransformersServer, chat: RenderedChat) -> PromptParts | None:
    """Count the parts of a prompt with its model's tokenizer; None while that is not ready."""
    counter = server.tokenizers.get(chat.model).counter
    return None if counter is None else await asyncio.to_thread(_parts_of, counter, chat)


def _parts_of(counter: Counter, chat: RenderedChat) -> PromptParts:
    offsets = counter.encode(chat.text).offsets
    give_way()
    tokens = Tokens(offsets)
    give_way()

    def count(spans: list[tuple[int, int]]) -> list[Part]:
        parts = tokens.count(spans)
        if counter.exact:
            return parts
        return [Part(part.start, part.end, part.tokens, exact=False) for part in parts]

    known = [span for span in chat.message_spans if span is not None]
    counted = iter(count(known))
    messages = tuple(None if span is None else next(counted) for span in chat.message_spans)
    trained = sum(part.tokens for part in tokens.count(chat.trained_spans))
    if len(known) < len(messages):
        return PromptParts(len(offsets), messages, None, None, trained)
    return PromptParts(
        tokens=len(offsets),
        messages=messages,
        around=tuple(count(gaps_between(len(chat.text), known))),
        overhead=len(offsets) - sum(part.tokens for part in messages if part is not None),
        trained=trained,
    )

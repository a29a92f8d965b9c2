"""A prompt with its parts: which message wrote what, and what a model would be trained on.

The parts are found by rendering the beginnings of the chat, one render for each message. That is
done once: while the user types in a message, the prompt outside of that message's part stays as it
was, byte for byte, so the other ends are known from the prompt before.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Final, Literal

from transformers_ls.chat.attribution import answer_spans, shared_beginning, spans_between
from transformers_ls.chat.inspect import has_generation_tags
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateLimitError

__all__ = ["PromptView", "PromptViews", "Span", "TrainedSource", "ends_after_edit"]

_KEPT: Final = 8
_NOT_FOUND: Final = -1
_LONG: Final = 1 << 17
"""Code points of a prompt, in which looking for an edit takes a millisecond."""

Span = tuple[int, int]

TrainedSource = Literal["generation tags", "prefix difference", "unknown"]
"""How it is known what an assistant mask would select."""


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt and its parts; all spans are code points of `text`.

    `message_spans` has one entry for each message, None where its place is not known. What the
    template writes before the first message belongs to that; what it writes after the last one (the
    generation prompt) to none. `trained_spans` are what the model says itself, and is trained on.
    """

    text: str
    message_spans: tuple[Span | None, ...] = ()
    trained_spans: tuple[Span, ...] = ()
    trained_source: TrainedSource = "unknown"


@dataclass(frozen=True, slots=True)
class _Kept:
    request: RenderRequest
    text: str
    ends: Sequence[int | None]
    opening: str | None


class PromptViews:
    """Views prompts, and remembers the latest of them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._kept: OrderedDict[object, _Kept] = OrderedDict()

    async def view(self, request: RenderRequest, key: object = None) -> PromptView:
        """Render a chat and find the parts of its prompt.

        Args:
            request: The chat.
            key: What stays the same while the user edits this chat, so that the view before is
                found: one that fits costs nothing but the render.

        Raises:
            TemplateRaisedError: The template refused the messages, or is not valid.
            TemplateLimitError: It broke a limit.
        """
        tags = has_generation_tags(request.template)
        rendered = await self._sandbox.render(replace(request, generation_spans=tags))
        ends, opening = await self._parts(request, rendered.text, self._kept.get(key))
        self._keep(key, _Kept(request, rendered.text, ends, opening))
        spans = tuple(spans_between(ends))
        if tags:
            return PromptView(rendered.text, spans, rendered.generation_spans, "generation tags")
        trained: list[Span] = []
        if opening is not None:
            trained = answer_spans(rendered.text, _roles(request), spans, opening)
        source: TrainedSource = "prefix difference" if trained else "unknown"
        return PromptView(rendered.text, spans, tuple(trained), source)

    async def _parts(
        self, request: RenderRequest, text: str, before: _Kept | None
    ) -> tuple[Sequence[int | None], str | None]:
        known: list[int | None] = [None] * len(request.messages)
        missing = set(range(len(known)))
        if before is not None and _same_settings(before.request, request):
            edit = (before.request.messages, before.text, before.ends), (request.messages, text)
            if len(text) < _LONG:
                known, missing = ends_after_edit(*edit)
            else:
                known, missing = await asyncio.to_thread(ends_after_edit, *edit)
            if not missing and _roles(before.request) == _roles(request):
                return known, before.opening
        # An end that was not found before is not looked for again.
        asked = [_NOT_FOUND if k is None and n not in missing else k for n, k in enumerate(known)]
        try:
            return await self._sandbox.parts(request, asked)
        except TemplateLimitError:
            # The prompt itself was rendered: only the many renders for its parts took too long.
            return known, None

    def _keep(self, key: object, kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _roles(request: RenderRequest) -> list[str]:
    return [str(message.get("role")) for message in request.messages]


def _same_settings(one: RenderRequest, other: RenderRequest) -> bool:
    return replace(one, messages=()) == replace(other, messages=())


Chat = Sequence[Mapping[str, Any]]


def ends_after_edit(
    before: tuple[Chat, str, Sequence[int | None]], after: tuple[Chat, str]
) -> tuple[list[int | None], set[int]]:
    """Find the messages' ends that an edit of the chat did not change, or only moved.

    An end is known when the prompt up to it, or from it on, is as it was, and so are the messages on
    that side of it.

    Args:
        before: The messages, their prompt, and their ends in it.
        after: The messages now, and their prompt.

    Returns:
        The ends, None where it was not known before either, and which messages' ends are open.
    """
    (old, old_text, ends), (new, text) = before, after
    head = _shared_messages(old, new)
    tail = min(_shared_messages(old[::-1], new[::-1]), len(old) - head, len(new) - head)
    same_start = shared_beginning(old_text, text)
    same_end = shared_beginning(old_text[::-1], text[::-1])
    found: list[int | None] = [None] * len(new)
    missing = set(range(len(new)))
    for index in range(head):
        end = ends[index]
        if end is None or end <= same_start:
            found[index] = end
            missing.discard(index)
    # The end of the message before the tail is where the tail begins.
    for back in range(1, min(tail + 1, len(old), len(new)) + 1):
        index, end = len(new) - back, ends[-back]
        if end is None and back <= tail:
            missing.discard(index)
        elif end is not None and len(old_text) - end <= same_end:
            found[index] = end + len(text) - len(old_text)
            missing.discard(index)
    return found, missing


def _shared_messages(one: Chat, other: Chat) -> int:
    """Return how many messages two chats have in common at their beginnings."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))

"""What messages of open documents become in their prompt: its text for hovers, its tokens for hints."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Final

from transformers_ls.chat.conversation import Conversation, message_at
from transformers_ls.errors import TransformersLsError
from transformers_ls.lsp.prompt_parts import parts_of
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.chats import RenderedChat
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tokens.parts import Part

__all__ = ["TemplatedCounts", "rendered_message"]

_KEPT: Final = 1024
# As many chats as fit on a screen, and then some; each costs a render for each of its messages.
_CHATS_AT_MOST: Final = 64
# A render after a key is faster than this, so hints do not change twice while somebody types.
_PATIENCE_SECONDS: Final = 0.3

_Parts = tuple["Part | None", ...]


def rendered_message(chat: RenderedChat, offset: int) -> str | None:
    """Return the part of a prompt that the message at an offset of the document became.

    None where there is no message, or where its part of the prompt is not known.
    """
    index = message_at(chat.conversation, offset)
    span = None if index is None or not chat.message_spans else chat.message_spans[index]
    return None if span is None else chat.text[slice(*span)]


class TemplatedCounts:
    """Counts messages after templating, in the background; chats that did not change cost nothing."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._known: OrderedDict[str, _Parts] = OrderedDict()
        self._running: dict[str, asyncio.Task[None]] = {}

    async def of(self, document: Document, model: str, start: int, end: int) -> Mapping[int, Part]:
        """Return the parts of the prompt for the messages in a range, by where a message begins.

        What is not known within a moment is left out; the client is asked to refresh when it is.
        So is what the template refuses, and all of it when another model's template is used.

        Args:
            document: The document.
            model: Whose tokenizer counts.
            start: Where the range begins, in code points.
            end: Where it ends.
        """
        try:
            name, template = await self._server.chats.template(document, None)
        except TransformersLsError:
            return {}
        if name != model:
            return {}
        found_chats = await self._server.chats.between(document, start, end)
        shown = found_chats[:_CHATS_AT_MOST]
        keys = await asyncio.to_thread(_keys, [chat for _, chat in shown], name, template.source)
        tasks = {
            self._task(key, document, place, chat)
            for key, (place, chat) in zip(keys, shown, strict=True)
            if key not in self._known
        }
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
            for task in late:
                task.add_done_callback(lambda _: self._server.refresher.soon())
        found: dict[int, Part] = {}
        for key, (_, chat) in zip(keys, shown, strict=True):
            parts = self._known.get(key, ())
            for message, part in zip(chat.messages, parts, strict=False):
                if part is not None:
                    found.setdefault(message.start, part)
        return found

    def _task(
        self, key: str, document: Document, place: Hashable, chat: Conversation
    ) -> asyncio.Task[None]:
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._count(key, document, place, chat))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return task

    async def _count(
        self, key: str, document: Document, place: Hashable, chat: Conversation
    ) -> None:
        parts: _Parts = ()
        try:
            rendered = await self._server.chats.view(document, chat, place)
            counted = await parts_of(self._server, rendered)
        except TransformersLsError:
            pass  # A diagnostic says what is wrong with it.
        else:
            if counted is None:
                return
            parts = counted.messages
        self._known[key] = parts
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _keys(chats: list[Conversation], model: str, template: str) -> list[str]:
    """Name each chat by all that its prompt depends on."""

    def key(chat: Conversation) -> str:
        about = [model, template, chat.as_chat(), chat.tools, dict(chat.template_kwargs)]
        text = json.dumps(about, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    return [key(chat) for chat in chats]

"""Counts of texts by every configured tokenizer, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.cache import Question
from transformers_ls.tokens.remote import RemoteCounter, count_request, counts_of
from transformers_ls.tokens.window import chosen_window

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.lsp.token_at import TokenAt
    from transformers_ls.tokens.short_answers import ShortAnswer
    from transformers_ls.tokens.store import Entry
    from transformers_ls.tokens.window import Window

__all__ = [
    "Counted",
    "Counting",
    "count_now",
    "count_texts",
    "display_name",
    "format_tokens",
    "format_window",
]

_AT_ONCE = 32_768
"""Code points of new text that are sent by the event loop itself: some 50 µs."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One tokenizer's counts of some texts."""

    model: str
    entry: Entry
    tokens: tuple[int, ...]
    """One number for each text; empty while the tokenizer is not ready."""
    window: Window
    """The model's context window: what the user chose, or else what its files tell."""

    @property
    def ready(self) -> bool:
        """True when `tokens` holds the counts."""
        return self.entry.counter is not None

    @property
    def exact(self) -> bool:
        """True when the counts are those of the Hugging Face tokenizer."""
        return self.entry.counter is not None and self.entry.counter.exact


async def count_texts(
    server: TransformersServer,
    models: Sequence[str],
    texts: Sequence[str | Slice | Snapshot],
    *,
    windows: Iterable[tuple[str, int]] = (),
) -> list[Counted]:
    """Count texts with each model's tokenizer; those that are not ready say so at once.

    Args:
        server: Whose tokenizers count.
        models: As the settings name them.
        texts: What to count.
        windows: The setting `transformers.contextWindows`.
    """
    return await Counting(server, models, texts, windows=windows).counted()


class Counting:
    """Counts of texts that are under way; as `count_texts`, but begun before anybody waits.

    What is new of a document after a key is a few thousand characters: they are on their way to the
    counting processes when this is made. Longer texts are counted in threads.

    Args:
        server: Whose tokenizers count.
        models: As the settings name them.
        texts: What to count.
        windows: The setting `transformers.contextWindows`.
        token: Goes the same way, to the first tokenizer.
    """

    def __init__(
        self,
        server: TransformersServer,
        models: Sequence[str],
        texts: Sequence[str | Slice | Snapshot],
        *,
        windows: Iterable[tuple[str, int]] = (),
        token: TokenAt | None = None,
    ) -> None:
        self._server = server
        self._texts = texts
        self._rows = [
            (
                entry,
                chosen_window(entry.window, model, windows),
                _begin(server, entry, texts, token if not number else None),
            )
            for number, model in enumerate(models)
            for entry in (server.tokenizers.get(model),)
        ]

    async def counted(self) -> list[Counted]:
        """Return the counts by each tokenizer, once they are there."""
        # One after the other: what is not under way in a process is in a thread.
        return [
            Counted(entry.model, entry, tuple(await self._tokens(entry, begun)), window)
            for entry, window, begun in self._rows
        ]

    async def _tokens(self, entry: Entry, begun: _Begun | None) -> Sequence[int]:
        if begun is None:
            return ()
        if isinstance(begun, asyncio.Future):
            return await begun
        cache = self._server.tokenizers.counts
        if begun.answer is None:
            return cache.answer(begun.question, ())
        body = await begun.answer.body()
        if body is None:
            return await asyncio.to_thread(count_now, self._server, entry, self._texts)
        return cache.answer(begun.question, counts_of(body))


@dataclass(frozen=True, slots=True)
class _Asked:
    question: Question
    answer: ShortAnswer | None
    """None when all was known."""


_Begun = _Asked | asyncio.Future[tuple[int, ...]]


def _begin(
    server: TransformersServer,
    entry: Entry,
    texts: Sequence[str | Slice | Snapshot],
    token: TokenAt | None,
) -> _Begun | None:
    counter, cache = entry.counter, server.tokenizers.counts
    if counter is None:
        return None
    if isinstance(counter, RemoteCounter) and cache.is_short(counter, texts):
        question = cache.ask(counter, texts)
        new = question.texts
        if sum(map(len, new)) <= _AT_ONCE:
            requests = [count_request(new)] if new else []
            if token is not None and token.request is not None:
                requests.append(token.request)
            answers = counter.begin(*requests) if requests else []
            if token is not None and token.request is not None and answers:
                token.answer = answers.pop()
            if answers or not new:
                return _Asked(question, answers[0] if answers else None)
    loop = asyncio.get_running_loop()
    return loop.run_in_executor(None, count_now, server, entry, texts)


def count_now(
    server: TransformersServer, entry: Entry, texts: Sequence[str | Slice | Snapshot]
) -> tuple[int, ...]:
    """Count texts with a tokenizer that is ready. Blocks: call it in a thread."""
    assert entry.counter is not None
    return tuple(server.tokenizers.counts.count_all(entry.counter, texts))


@lru_cache(maxsize=256)
def display_name(model: str) -> str:
    """Return a short name for people: of a path, its last part; Hub ids stay whole."""
    path = Path(model)
    if not (path.is_absolute() or model.startswith((".", "~"))):
        return model
    if path.name in ("tokenizer.json", "tokenizer.model"):
        path = path.parent
    return path.name or model


def format_tokens(tokens: int, *, exact: bool) -> str:
    """Write a count, with `≈` when it is not exact."""
    return f"{'' if exact else '≈'}{tokens:,}"


def format_window(tokens: int, window: int | None) -> str:
    """Write a count's share of a context window; a dash when the window is unknown."""
    if not window:
        return "—"
    share = 100 * tokens / window
    digits = 0 if share >= 10 else 1
    return f"{share:.{digits}f} % of {window:,}"

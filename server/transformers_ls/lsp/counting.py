"""Counts of texts by every configured tokenizer, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transformers_ls.text.snapshot import Slice, Snapshot

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tokens.store import Entry
    from transformers_ls.tokens.window import Window

__all__ = ["Counted", "count_now", "count_texts", "display_name", "format_tokens", "format_window"]


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
    from transformers_ls.tokens.window import chosen_window

    async def count(model: str) -> Counted:
        entry = server.tokenizers.get(model)
        window = chosen_window(entry.window, model, windows)
        if entry.counter is None:
            return Counted(model, entry, (), window)
        tokens = await asyncio.to_thread(count_now, server, entry, texts)
        return Counted(model, entry, tokens, window)

    return list(await asyncio.gather(*(count(model) for model in models)))


def count_now(
    server: TransformersServer, entry: Entry, texts: Sequence[str | Slice | Snapshot]
) -> tuple[int, ...]:
    """Count texts with a tokenizer that is ready. Blocks: call it in a thread."""
    assert entry.counter is not None
    return tuple(server.tokenizers.counts.count_all(entry.counter, texts))


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

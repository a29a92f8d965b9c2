"""Budgets, special tokens and hidden characters in the texts of an open document."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers_ls.lsp.analysis import language_of
from transformers_ls.lsp.counting import count_now, display_name
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.problems import Problem
    from transformers_ls.checks.texts import Scan, Tokenizer
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.settings import Settings
    from transformers_ls.tokens.store import Entry

__all__ = ["text_problems"]


async def text_problems(
    server: TransformersServer, document: Document, settings: Settings, entries: Sequence[Entry]
) -> list[Problem]:
    """Return what is wrong with the texts of a document, as far as its tokenizers are ready.

    Args:
        server: Whose analyses and chats are asked.
        document: One version of a document.
        settings: Those of the document.
        entries: Its tokenizers, the primary one first.
    """
    from transformers_ls.checks.texts import Budget, Tokenizer, check_texts
    from transformers_ls.tokens.window import chosen_window

    tokenizers: list[Tokenizer] = []
    window = None
    # Without the primary one nothing is counted; the others wait for it, a moment as a rule.
    if entries and entries[0].counter is not None:
        primary = entries[0]
        window = chosen_window(primary.window, primary.model, settings.context_windows).tokens
        tokenizers = [
            Tokenizer(display_name(entry.model), entry.counter)
            for entry in entries
            if entry.counter
        ]
    limits = settings.budget
    budget = Budget(limits.max_tokens, limits.warn_share, limits.reserved_output, window)
    disabled = settings.diagnostics.disabled
    found = await asyncio.to_thread(_scan, document, tokenizers, disabled)
    if not found.needs_regions(budget):
        return []
    regions = await server.analyses.regions(document)
    chats = await server.chats.find(document) if budget.max_tokens or budget.reserved_output else []
    return await asyncio.to_thread(
        check_texts,
        document.snapshot,
        language_of(document),
        regions,
        found,
        tokenizers=tokenizers,
        count=lambda texts: count_now(server, entries[0], texts),
        budget=budget,
        chats=[(chat.start, chat.end) for chat in chats],
        disabled=disabled,
    )


def _scan(document: Document, tokenizers: list[Tokenizer], disabled: Sequence[str]) -> Scan:
    from transformers_ls.checks.texts import scan

    return scan(document.snapshot, tokenizers, disabled)

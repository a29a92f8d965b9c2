"""One module for each LSP feature; each has a `register(server)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["register"]


def register(server: TransformersServer) -> None:
    """Add every feature to a server."""
    from transformers_ls.lsp.features import (
        boundaries,
        code_action,
        code_lens,
        commands,
        completion,
        count,
        diagnostic,
        folder,
        hover,
        inlay_hint,
        lifecycle,
        render,
        run,
        status,
        template_words,
        text_document_content,
    )

    for feature in (
        lifecycle,
        hover,
        completion,
        template_words,
        inlay_hint,
        code_lens,
        code_action,
        diagnostic,
        count,
        boundaries,
        render,
        run,
        status,
        commands,
        folder,
        text_document_content,
    ):
        feature.register(server)

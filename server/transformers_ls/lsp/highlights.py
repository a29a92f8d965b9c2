"""Places that a model said something of, shown as information until their document is edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from lsprotocol import types

from transformers_ls.lsp.run_messages import HighlightInfo
from transformers_ls.text.document import Document
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Highlights"]


@dataclass(frozen=True, slots=True)
class _Shown:
    snapshot: Snapshot
    mark: str
    diagnostics: list[types.Diagnostic]


class Highlights:
    """The highlights of open documents, for clients that show no others: as diagnostics."""

    def __init__(self) -> None:
        self._shown: dict[str, _Shown] = {}
        self._numbers = count(1)

    def show(self, document: Document, highlights: Sequence[HighlightInfo]) -> None:
        """Show highlights on one version of a document, in place of those of the run before."""
        diagnostics = [
            types.Diagnostic(
                range=item.range,
                message=item.message,
                severity=types.DiagnosticSeverity.Information,
                code=item.label,
                source="transformers-ls",
            )
            for item in highlights
        ]
        self._shown[document.uri] = _Shown(
            document.snapshot, f"/result-{next(self._numbers)}", diagnostics
        )

    def of(self, document: Document) -> tuple[str, list[types.Diagnostic]]:
        """Return the highlights of a version of a document, and a mark that changes with them."""
        shown = self._shown.get(document.uri)
        if shown is None or shown.snapshot is not document.snapshot:
            return "", []
        return shown.mark, shown.diagnostics

    def forget(self, uri: str) -> None:
        """Drop the highlights of a document that was closed."""
        self._shown.pop(uri, None)

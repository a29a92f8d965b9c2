"""The open documents: a version and an immutable snapshot for each URI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from lsprotocol import types

from transformers_ls.text.document import Document
from transformers_ls.text.snapshot import Position, PositionEncoding, Range, Snapshot

__all__ = [
    "DocumentStore",
    "from_lsp_position",
    "from_lsp_range",
    "text_of",
    "to_lsp_position",
    "to_lsp_range",
]

_JOINED_AT_ONCE = 1 << 18
"""Code points, which take a tenth of a millisecond to join."""


class DocumentStore:
    """What the client has open.

    It outlives `initialize`, so a client that initializes again need not open its documents again.
    """

    def __init__(self) -> None:
        self.encoding = PositionEncoding.UTF16
        self.on_change: list[Callable[[str], None]] = []
        """Called with the URI of each document whose text changed."""
        self._documents: dict[str, Document] = {}
        self._foreseen: dict[str, Snapshot] = {}

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._documents.values()))

    def get(self, uri: str) -> Document | None:
        """Return the document as it is now, or None when it is not open."""
        return self._documents.get(uri)

    def foresee(self, message: Any, strings: dict[str, list[str]]) -> None:
        """Make the snapshot of a long text that a message will open, if there is one.

        For threads: a text of 10 MB takes 30 ms. The message is handled soon after; the name that it
        has for its text stands for the snapshot then.

        Args:
            message: A message with names for its long strings.
            strings: Their pieces by name; the text's are taken out.
        """
        match message:
            case {
                "method": types.TEXT_DOCUMENT_DID_OPEN,
                "params": {"textDocument": {"text": str(name)}},
            } if name in strings:
                # At most one is under way; one that was not handled is dropped.
                self._foreseen = {name: Snapshot.of_pieces(strings.pop(name))}

    def open(self, item: types.TextDocumentItem) -> None:
        """Take a document that the client opened; opening it twice replaces it."""
        snapshot = self._foreseen.pop(item.text, None) or Snapshot.of(item.text)
        self._documents[item.uri] = Document(item.uri, item.version, item.language_id, snapshot)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes of one notification; changes to a closed document are dropped."""
        old = self._documents.get(params.text_document.uri)
        if old is None:
            return
        snapshot = old.snapshot.apply(
            ((_range_of(change), change.text) for change in params.content_changes),
            self.encoding,
        )
        self._documents[old.uri] = Document(
            old.uri, params.text_document.version, old.language_id, snapshot
        )
        for listener in self.on_change:
            listener(old.uri)

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(uri, None)


async def text_of(document: Document) -> str:
    """Return the whole text of a document; a long one is joined in a thread."""
    snapshot = document.snapshot
    if len(snapshot) <= _JOINED_AT_ONCE:
        return snapshot.text
    return await asyncio.to_thread(lambda: snapshot.text)


def _range_of(change: types.TextDocumentContentChangeEvent) -> Range | None:
    if isinstance(change, types.TextDocumentContentChangePartial):
        return from_lsp_range(change.range)
    return None


def from_lsp_position(position: types.Position) -> Position:
    """Read a position off the wire; it stays in the client's encoding."""
    return Position(position.line, position.character)


def from_lsp_range(value: types.Range) -> Range:
    """Read a range off the wire; it stays in the client's encoding."""
    return Range(from_lsp_position(value.start), from_lsp_position(value.end))


def to_lsp_position(snapshot: Snapshot, offset: int, encoding: PositionEncoding) -> types.Position:
    """Write an offset in code points as an LSP position."""
    place = snapshot.position_at(offset, encoding)
    return types.Position(place.line, place.character)


def to_lsp_range(
    snapshot: Snapshot, start: int, end: int, encoding: PositionEncoding
) -> types.Range:
    """Write a span of code points as an LSP range."""
    first = to_lsp_position(snapshot, start, encoding)
    return types.Range(first, first if start == end else to_lsp_position(snapshot, end, encoding))

"""A document as the features see it: a name, a version, a language and a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.text.snapshot import Snapshot

__all__ = ["Document"]


@dataclass(frozen=True, slots=True)
class Document:
    """One state of an open document."""

    uri: str
    version: int | None
    language_id: str
    snapshot: Snapshot

"""What is in each open document, found once per version and off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from transformers_ls.text.document import Document
from transformers_ls.text.snapshot import Snapshot

if TYPE_CHECKING:
    from transformers_ls.text.regions import Region

__all__ = ["Analyses", "language_of"]

_BY_EXTENSION = {".jsonl": "jsonl", ".ndjson": "jsonl", ".jinja": "jinja", ".jinja2": "jinja"}


def language_of(document: Document) -> str:
    """Return the language of a document; the file name decides where editors disagree.

    VS Code opens `.jsonl` as `json` or `plaintext`, depending on its version and extensions.
    """
    name = document.uri.rsplit("/", 1)[-1].lower()
    for extension, language in _BY_EXTENSION.items():
        if name.endswith(extension):
            return language
    return document.language_id


class Analyses:
    """The regions of the open documents."""

    def __init__(self) -> None:
        self._regions: dict[str, tuple[Snapshot, asyncio.Task[list[Region]]]] = {}

    async def regions(self, document: Document) -> Sequence[Region]:
        """Return the regions of one version of a document, in document order."""
        from transformers_ls.text.regions import find_regions

        kept = self._regions.get(document.uri)
        if kept is None or kept[0] is not document.snapshot:
            task = asyncio.create_task(
                asyncio.to_thread(find_regions, language_of(document), document.snapshot)
            )
            kept = self._regions[document.uri] = (document.snapshot, task)
        # Shielded: several requests wait for one analysis, and one of them may be cancelled.
        return await asyncio.shield(kept[1])

    def forget(self, uri: str) -> None:
        """Drop what was found in an older version of a document."""
        self._regions.pop(uri, None)

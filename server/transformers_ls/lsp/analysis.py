"""What is in each open document, found once per version and off the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from transformers_ls.text.document import Document
from transformers_ls.text.snapshot import Snapshot

if TYPE_CHECKING:
    from transformers_ls.text.regions import Regions

__all__ = ["Analyses", "language_of"]

_BY_EXTENSION = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jinja": "jinja",
    ".jinja2": "jinja",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".ipynb": "ipynb",
    ".prompty": "prompty",
    ".prompt": "dotprompt",
}


def language_of(document: Document) -> str:
    """Return the language of a document; the file name decides where editors disagree.

    VS Code opens `.jsonl` as `json` or `plaintext`, depending on its version and extensions, and a
    Compose file or a workflow as a language of its own, which is YAML all the same.
    """
    name = document.uri.rsplit("/", 1)[-1].lower()
    for extension, language in _BY_EXTENSION.items():
        if name.endswith(extension):
            return language
    return document.language_id


class Analyses:
    """The regions of the open documents."""

    def __init__(self) -> None:
        self._regions: dict[str, tuple[Snapshot, asyncio.Task[Regions]]] = {}

    async def regions(self, document: Document) -> Regions:
        """Return the regions of one version of a document."""
        kept = self._regions.get(document.uri)
        if kept is None or kept[0] is not document.snapshot:
            task = asyncio.create_task(asyncio.to_thread(_regions_of, document))
            kept = self._regions[document.uri] = (document.snapshot, task)
        # Shielded: several requests wait for one analysis, and one of them may be cancelled.
        return await asyncio.shield(kept[1])

    def forget(self, uri: str) -> None:
        """Drop what was found in an older version of a document."""
        self._regions.pop(uri, None)


def _regions_of(document: Document) -> Regions:
    from transformers_ls.text.regions import Regions, find_regions

    return Regions(find_regions(language_of(document), document.snapshot))

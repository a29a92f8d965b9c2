"""What is in each open document, found off the event loop and only where it is new."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from transformers_ls.text.document import Document
from transformers_ls.text.languages import language_of_name
from transformers_ls.text.snapshot import Snapshot

if TYPE_CHECKING:
    from transformers_ls.text.regions import Regions

__all__ = ["Analyses", "language_of"]


def language_of(document: Document) -> str:
    """Return the language of a document; the file name decides where editors disagree.

    VS Code opens `.jsonl` as `json` or `plaintext`, depending on its version and extensions, and a
    Compose file or a workflow as a language of its own, which is YAML all the same.
    """
    return language_of_name(document.uri, document.language_id)


# A client may forget to close documents.
_MOST_DOCUMENTS = 64


class Analyses:
    """The regions of the open documents; each version's are made from those of one before it."""

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}

    async def regions(self, document: Document, start: int = 0, end: int | None = None) -> Regions:
        """Return the regions of one version of a document.

        Args:
            document: Its snapshot may be older or newer than that of the last call.
            start: What will be asked for begins here, in code points.
            end: What will be asked for ends here; None is the whole text. Elsewhere the regions
                are as right, but asking for them may take time on the event loop.
        """
        analysis = self._analysis(document, start, end)
        analysis.waiting += 1
        try:
            # Shielded: several requests wait for one analysis, and one of them may be cancelled.
            regions = await asyncio.shield(analysis.task)
        finally:
            analysis.waiting -= 1
            if not analysis.waiting and not analysis.begun:
                analysis.dropped = True
                analysis.task.cancel()
        if end is None or analysis.place != (start, end):
            await asyncio.to_thread(regions.prepare, start, end)
        return regions

    def forget(self, uri: str) -> None:
        """Drop what was found in a document that was closed."""
        self._histories.pop(uri, None)

    def _analysis(self, document: Document, start: int, end: int | None) -> _Analysis:
        # The one that was asked for last is the last to go.
        history = self._histories.pop(document.uri, None) or _History()
        self._histories[document.uri] = history
        if len(self._histories) > _MOST_DOCUMENTS:
            del self._histories[next(iter(self._histories))]
        analysis = history.latest
        if (
            analysis is None
            or analysis.snapshot is not document.snapshot
            or analysis.dropped
            or (analysis.task.done() and analysis.task.exception() is not None)
        ):
            analysis = history.latest = _Analysis(document, history, start, end)
        return analysis


class _History:
    """What is known of a document, whatever its version."""

    def __init__(self) -> None:
        self.found: Regions | None = None
        self.latest: _Analysis | None = None
        # One version at a time: a key in a document that must be read as a whole may come before
        # the last one is done, and only the newest version that is waited for is worth reading.
        self.lock = asyncio.Lock()


class _Analysis:
    """The search for the regions of one snapshot."""

    def __init__(self, document: Document, history: _History, start: int, end: int | None) -> None:
        self.snapshot = document.snapshot
        # The place that is asked for first is read in the same thread: each way to another one
        # takes time. Not so the whole text, for which nobody else should wait.
        self.place = (start, end)
        self.waiting = 0
        self.begun = False
        self.dropped = False
        self.task = asyncio.create_task(self._run(language_of(document), history))

    async def _run(self, language_id: str, history: _History) -> Regions:
        async with history.lock:
            self.begun = True
            history.found = await asyncio.to_thread(
                _regions_of, language_id, self.snapshot, history.found, self.place
            )
            return history.found


def _regions_of(
    language_id: str, snapshot: Snapshot, base: Regions | None, place: tuple[int, int | None]
) -> Regions:
    from transformers_ls.text.regions import regions_of

    found = regions_of(language_id, snapshot, base)
    start, end = place
    if end is not None:
        found.prepare(start, end)
    return found

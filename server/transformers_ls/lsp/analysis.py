"""What is in each open document, found only where it is new: little at once, much off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from transformers_ls.text.document import Document
from transformers_ls.text.languages import language_of_name
from transformers_ls.text.steps import Steps, begin, run

if TYPE_CHECKING:
    from transformers_ls.text.regions import Region, Regions

__all__ = ["Analyses", "language_of"]

Result = TypeVar("Result")


def language_of(document: Document) -> str:
    """Return the language of a document; the file name decides where editors disagree.

    VS Code opens `.jsonl` as `json` or `plaintext`, depending on its version and extensions, and a
    Compose file or a workflow as a language of its own, which is YAML all the same.
    """
    return language_of_name(document.uri, document.language_id)


# A client may forget to close documents.
_MOST_DOCUMENTS = 64
# What the event loop does itself, in characters for a parser: some 1.5 ms of Python's, three times as
# much with cold caches. What a key makes new takes a fraction of that, as a rule, and the way to a
# thread and back would take longer.
_AT_ONCE = 4_096


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
        regions = await self._found(document)
        if end is None:
            await asyncio.to_thread(run, regions.read_steps())
        else:
            await _answer(regions.between_steps(start, end))
        return regions

    async def between(self, document: Document, start: int, end: int) -> Sequence[Region]:
        """Return the regions of one version of a document whose anchor lies in a range."""
        regions = await self._found(document)
        return await _answer(regions.between_steps(start, end))

    async def region_at(self, document: Document, offset: int) -> Region | None:
        """Return the innermost region that holds an offset of one version of a document."""
        regions = await self._found(document)
        return await _answer(regions.at_steps(offset))

    def forget(self, uri: str) -> None:
        """Drop what was found in a document that was closed."""
        self._histories.pop(uri, None)

    async def _found(self, document: Document) -> Regions:
        analysis = self._analysis(document)
        if analysis.regions is not None:
            return analysis.regions
        analysis.waiting += 1
        try:
            # Shielded: several requests wait for one analysis, and one of them may be cancelled.
            return await asyncio.shield(analysis.task)
        finally:
            analysis.waiting -= 1
            if not analysis.waiting and not analysis.begun:
                analysis.dropped = True
                analysis.task.cancel()

    def _analysis(self, document: Document) -> _Analysis:
        # The one that was asked for last is the last to go.
        history = self._histories.pop(document.uri, None) or _History()
        self._histories[document.uri] = history
        if len(self._histories) > _MOST_DOCUMENTS:
            del self._histories[next(iter(self._histories))]
        analysis = history.latest
        if analysis is None or analysis.snapshot is not document.snapshot or analysis.failed:
            analysis = history.latest = _Analysis(document, history)
        return analysis


async def _answer(steps: Steps[Result]) -> Result:
    """Do some work at once where it is short, or else in a thread."""
    done = begin(steps, _AT_ONCE)
    return done.result if done is not None else await asyncio.to_thread(run, steps)


class _History:
    """What is known of a document, whatever its version."""

    def __init__(self) -> None:
        self.found: Regions | None = None
        self.latest: _Analysis | None = None
        # One version at a time: a key in a document that must be read as a whole may come before
        # the last one is done, and only the newest version that is waited for is worth reading.
        self.lock = asyncio.Lock()


class _Analysis:
    """The search for the regions of one snapshot; it is begun at once, if nothing else is going on."""

    def __init__(self, document: Document, history: _History) -> None:
        self.snapshot = document.snapshot
        self.waiting = 0
        self.begun = False
        self.dropped = False
        self.regions: Regions | None = None
        self._language = language_of(document)
        self._task: asyncio.Task[Regions] | None = None
        steps: Steps[Regions] | None = None
        if not history.lock.locked():
            steps = self._steps(history)
            if (done := begin(steps, _AT_ONCE)) is not None:
                self.regions = history.found = done.result
                return
        self._task = asyncio.create_task(self._run(history, steps))

    @property
    def task(self) -> asyncio.Task[Regions]:
        """What finds the regions, where they were not found at once."""
        assert self._task is not None
        return self._task

    @property
    def failed(self) -> bool:
        """Whether it ended, or will end, without regions."""
        if self._task is None:
            return False
        return self.dropped or (self._task.done() and self._task.exception() is not None)

    async def _run(self, history: _History, steps: Steps[Regions] | None) -> Regions:
        async with history.lock:
            self.begun = True
            self.regions = history.found = await asyncio.to_thread(
                run, steps or self._steps(history)
            )
            return self.regions

    def _steps(self, history: _History) -> Steps[Regions]:
        from transformers_ls.text.regions import regions_steps

        return regions_steps(self._language, self.snapshot, history.found)

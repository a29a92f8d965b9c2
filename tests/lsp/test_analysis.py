"""Regions of open documents: of the version that was asked for, whatever else is asked for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from transformers_ls.lsp import analysis
from transformers_ls.lsp.analysis import Analyses
from transformers_ls.text import regions as text_regions
from transformers_ls.text.document import Document
from transformers_ls.text.regions import Regions, find_regions
from transformers_ls.text.regions.index import PieceRegions
from transformers_ls.text.snapshot import Snapshot

URI = "file:///a.md"
TEXT = "".join(f"# Title {number}\n\nSome words.\n\n" for number in range(2_000))


def versions(count: int) -> list[Document]:
    snapshot = Snapshot.of(TEXT)
    documents = []
    for version in range(count):
        documents.append(Document(URI, version, "markdown", snapshot))
        at = len(TEXT) // 2 + version
        snapshot = snapshot.edit(at, at, "x" if version % 3 else "\n# ")
    return documents


async def test_versions_may_be_asked_for_in_any_order_and_at_once():
    analyses = Analyses()
    documents = versions(6)
    order = [3, 0, 5, 5, 1, 4, 2]
    found = await asyncio.gather(*(analyses.regions(documents[number]) for number in order))
    for number, regions in zip(order, found, strict=True):
        expected = find_regions("markdown", Snapshot.of(documents[number].snapshot.text))
        assert [(one.start, one.label, one.text) for one in regions.all()] == [
            (one.start, one.label, one.text) for one in expected
        ]


async def test_a_version_is_made_from_the_one_before_and_read_where_asked():
    analyses = Analyses()
    first, second = versions(2)
    before = await analyses.regions(first)
    after = await analyses.regions(second, 10, 20)
    assert isinstance(before, PieceRegions)
    assert isinstance(after, PieceRegions)
    assert await analyses.regions(second, 10, 20) is after
    fresh = set(map(id, after.pieces.rows)) - set(map(id, before.pieces.rows))
    assert 0 < len(fresh) < 5
    # One whose text is the same, though what follows it is not, is not read again.
    assert 0 < [piece.was_read for piece in after.pieces.rows].count(False) <= len(fresh)
    await analyses.regions(second)
    assert all(piece.was_read for piece in after.pieces.rows)


async def test_a_closed_document_is_forgotten_and_others_in_their_turn(monkeypatch):
    monkeypatch.setattr(analysis, "_MOST_DOCUMENTS", 3)
    analyses = Analyses()
    (document,) = versions(1)
    before = await analyses.regions(document)
    analyses.forget(URI)
    again = await analyses.regions(document)
    assert again is not before
    for number in range(2):
        await analyses.regions(Document(f"file:///{number}", 1, "markdown", document.snapshot))
    assert await analyses.regions(document) is again
    await analyses.regions(Document("file:///2", 1, "markdown", document.snapshot))
    await analyses.regions(Document("file:///3", 1, "markdown", document.snapshot))
    assert await analyses.regions(document) is again
    for number in range(3):
        await analyses.regions(Document(f"file:///{number}", 1, "markdown", document.snapshot))
    assert await analyses.regions(document) is not again


@pytest.fixture
def slow(monkeypatch):
    """Searches that wait for a signal; yields the signal and the snapshots that were searched."""
    searched: list[Snapshot] = []
    go = threading.Event()

    def search(_language, snapshot, _base=None):
        yield 1_000_000
        searched.append(snapshot)
        assert go.wait(10)
        return Regions([])

    monkeypatch.setattr(text_regions, "regions_steps", search)
    yield go, searched
    go.set()


async def test_versions_that_nobody_waits_for_any_more_are_not_searched(slow):
    go, searched = slow
    analyses = Analyses()
    documents = versions(5)
    requests = []
    for document in documents:
        requests.append(asyncio.create_task(analyses.regions(document)))
        await asyncio.sleep(0.02)
    for request in requests[:-1]:
        request.cancel()
    await asyncio.wait(requests[:-1])
    again = asyncio.create_task(analyses.regions(documents[-1]))
    go.set()
    await asyncio.gather(requests[-1], again)
    assert searched == [documents[0].snapshot, documents[-1].snapshot]


async def test_a_version_that_was_given_up_can_be_asked_for_again(slow):
    go, searched = slow
    analyses = Analyses()
    first, second = versions(2)
    running = asyncio.create_task(analyses.regions(first))
    waiting = asyncio.create_task(analyses.regions(second))
    await asyncio.sleep(0.02)
    waiting.cancel()
    again = asyncio.create_task(analyses.regions(second))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(running, again)
    assert searched == [first.snapshot, second.snapshot]


@pytest.mark.parametrize("cost", [1, 1_000_000])
async def test_a_search_that_failed_is_tried_again(monkeypatch, cost):
    def fail(*_):
        yield cost
        return 1 / 0

    analyses = Analyses()
    (document,) = versions(1)
    with monkeypatch.context() as patch:
        patch.setattr(text_regions, "regions_steps", fail)
        with pytest.raises(ZeroDivisionError):
            await analyses.regions(document)
    assert (await analyses.regions(document)).at(0).label == "Title 0"


async def test_what_a_key_makes_new_is_read_at_once_and_a_long_block_in_a_thread(monkeypatch):
    analyses = Analyses()
    first, second = versions(2)
    await analyses.regions(first)
    threads: list[object] = []
    to_thread = asyncio.to_thread

    async def count(work, *arguments):
        threads.append(work)
        return await to_thread(work, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", count)
    at = len(TEXT) // 2
    found = await analyses.region_at(second, at)
    assert found == (await analyses.regions(second, at, at)).at(at)
    assert not threads
    long = second.snapshot.edit(at, at, "\n\n```\n" + "word " * 20_000 + "\n```\n\n")
    fence = await analyses.region_at(Document(URI, 3, "markdown", long), at + 50)
    assert fence is not None
    assert (fence.kind, len(fence.text)) == ("fence", 100_000)
    assert threads

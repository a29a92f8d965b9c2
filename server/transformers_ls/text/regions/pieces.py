"""A document in pieces of a few kilobytes, of which an edit makes one or two new.

Where a piece ends depends only on the text from its start on, and what is found in it only on its
own text. So the pieces of a text are the same whatever it was before, and pieces whose text no edit
touched are taken over as they are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from transformers_ls.text.difference import change_between
from transformers_ls.text.regions.cuts import FRONT_MATTER
from transformers_ls.text.regions.model import Found, Heading, Region
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.text.steps import Steps

__all__ = ["LONG", "Piece", "Pieces", "Reader", "pieces_of"]

WINDOW = 2048
"""How much text is looked at for the end of a piece; more only when there is no cut in it."""
CERTAIN = 256
"""How much text after a cut may be looked at to know that it is one."""
_LEAST = WINDOW // 4
_SEEN = 64
_ROW = 1024
"""How much after and, at most, before a cut decides whether it is taken."""
_CUTTING = 4
"""How many times as fast as it is parsed a text is searched for cuts, to be on the safe side."""
_BLOCK = 192
"""A block that is read on its own is no shorter: to start a parser takes time, too."""
_BLOCKS = 512
"""How many blocks are remembered by their text: those around the cursor, and some more."""
LONG = 1024
"""A longer body that stands in the source as it is becomes a slice."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How a language is cut and read.

    Args:
        cuts: Yields where a text may be cut, ascending. Whether a place is one depends on the text
            before it, `CERTAIN` after it and, wherever it is, the first `WINDOW`.
        read: Finds what is in a piece.
        widest: The most code points of a piece: a string, fence or row that is longer is cut there.
        sections: Whether `Found.headings` open sections.
    """

    cuts: Callable[[str], Iterator[int]]
    read: Callable[[str], Found]
    widest: int = 1 << 18
    sections: bool = False


class Ends(NamedTuple):
    """Where a piece may end: the cuts in its first `WINDOW`, and what each that may be taken is worth."""

    cuts: list[int]
    worth: dict[int, int]


class Piece:
    """A part of a document; it does not know where it stands.

    Args:
        size: Its length.
        seen: The length of the text from its start on that decided where it ends.
    """

    def __init__(self, size: int, seen: int) -> None:
        self.size = size
        self.seen = seen
        self.ends: Ends | None = None
        """Where it might have ended; known of what was cut around an edit."""
        self._found: Found | None = None
        self._spans: list[tuple[int, int] | None] = []

    def found(self, snapshot: Snapshot, start: int, reader: Reader) -> Found:
        """Return what is in the piece, which stands at `start`; places are relative to it."""
        if self._found is None:
            text = snapshot.slice(start, start + self.size)
            found = _read(reader, text)
            regions = [_without_long_body(region, text) for region in found.regions]
            self._spans = [span for _, span in regions]
            # Last, since another thread that sees it takes all of it for done.
            self._found = Found([region for region, _ in regions], found.headings)
        return self._found

    def regions(self, snapshot: Snapshot, start: int, reader: Reader) -> list[Region]:
        """Return the regions of the piece at their place in the document."""
        found = self.found(snapshot, start, reader).regions
        return [
            _placed(region, span, snapshot, start)
            for region, span in zip(found, self._spans, strict=True)
        ]

    def adopt(self, other: Piece) -> None:
        """Take over what is in another piece, which has the same text."""
        found = other._found
        if found is not None:
            self._spans = other._spans
            self._found = found

    @property
    def was_read(self) -> bool:
        """Whether `found` returns at once."""
        return self._found is not None

    @cached_property
    def lowest_level(self) -> int:
        """The level of the widest section that begins here; more than 6 when none does."""
        headings = self._found.headings if self._found else ()
        return min((heading.level for heading in headings), default=7)


class Pieces:
    """All pieces of one snapshot; made by `pieces_of`.

    Args:
        reader: How the language is cut.
        snapshot: The text.
    """

    def __init__(self, reader: Reader, snapshot: Snapshot) -> None:
        self.reader = reader
        self.snapshot = snapshot
        self.starts: list[int] = []
        self.rows: list[Piece] = []
        self._farthest = 0
        """No piece has seen more of the text."""

    def index_at(self, offset: int) -> int:
        """Return the number of the piece that holds an offset; -1 when there is none."""
        return min(bisect_right(self.starts, offset), len(self.starts)) - 1

    def span(self, start: int, end: int) -> range:
        """Return the numbers of the pieces that hold, or touch, any of a range."""
        first = self.index_at(start)
        if first > 0 and self.starts[first] == start:
            first -= 1
        return range(max(first, 0), bisect_right(self.starts, end))

    def found(self, index: int) -> Found:
        """Return what is in a piece, relative to its start."""
        return self.rows[index].found(self.snapshot, self.starts[index], self.reader)

    def regions(self, index: int) -> list[Region]:
        """Return the regions of a piece."""
        return self.rows[index].regions(self.snapshot, self.starts[index], self.reader)

    def untouched(self, change: int) -> int:
        """Return how many pieces end, and were cut, without a look at the text from `change` on."""
        count = first = bisect_left(self.starts, change)
        for index in range(first - 1, -1, -1):
            if self.starts[index] + self._farthest < change:
                break
            if self.starts[index] + self.rows[index].seen >= change:
                count = index
        return count

    def keep(self, base: Pieces, count: int) -> None:
        """Take over the first pieces of another version."""
        self.starts, self.rows = base.starts[:count], base.rows[:count]
        self._farthest = base._farthest

    def meet(self, base: Pieces, moved: int, first: int) -> bool:
        """Take over the rest of another version, if a piece from `first` on starts at our end."""
        end = self.end
        met = bisect_left(base.starts, end - moved, first)
        if met == len(base.starts) or base.starts[met] != end - moved:
            return False
        self.starts += [start + moved for start in base.starts[met:]]
        self.rows += base.rows[met:]
        return True

    def add(self, piece: Piece) -> None:
        """Add a piece at the end."""
        self.starts.append(self.end)
        self.rows.append(piece)
        self._farthest = max(self._farthest, piece.seen)

    @property
    def end(self) -> int:
        """Where the next piece starts."""
        return self.starts[-1] + self.rows[-1].size if self.rows else 0

    def piece_from(self, start: int) -> Piece | None:
        """Return the piece that starts at a place."""
        index = bisect_left(self.starts, start)
        return self.rows[index] if self.starts[index : index + 1] == [start] else None


def pieces_of(reader: Reader, snapshot: Snapshot, base: Pieces | None = None) -> Steps[Pieces]:
    """Cut a text.

    Args:
        reader: How the language is cut.
        snapshot: The text.
        base: The pieces of another version of the same document, cut by the same reader.
    """
    pieces = Pieces(reader, snapshot)
    change = None
    if base is not None:
        change = change_between(base.snapshot, snapshot)
        pieces.keep(base, base.untouched(change.start))
    while (at := pieces.end) < len(snapshot):
        if base is not None and change is not None:
            moved = change.new_end - change.old_end
            if pieces.meet(base, moved, bisect_left(base.starts, change.old_end)):
                break
        known = same = None
        if base is not None and change is not None:
            same = max(0, change.start - at)
            known = base.piece_from(at) if same else None
        piece = yield from _piece_at(snapshot, at, reader, known, same)
        # Cut anew, since what follows has changed, and yet the same.
        if known is not None and same is not None and known.size == piece.size <= same:
            piece.adopt(known)
        pieces.add(piece)
    return pieces


def _piece_at(
    snapshot: Snapshot, start: int, reader: Reader, known: Piece | None, same: int | None
) -> Steps[Piece]:
    """Cut a piece.

    Args:
        snapshot: The text.
        start: Where the piece starts.
        reader: How the language is cut.
        known: A piece of another version that starts with the same text.
        same: How much of that is the same; None when there is no other version.
    """
    left = len(snapshot) - start
    if left <= WINDOW:
        return Piece(left, left)
    yield WINDOW // _CUTTING
    ends = _ends_at(snapshot, start, reader, known.ends if known else None, same or 0)
    if ends.cuts:
        piece = Piece(_chosen(ends), WINDOW)
        if same is not None:
            piece.ends = ends
        return piece
    before, size = WINDOW, 4 * WINDOW
    while before < min(left, reader.widest):
        yield min(size, reader.widest) // _CUTTING
        text = snapshot.slice(start, start + min(size, reader.widest))
        cut = next((cut for cut in reader.cuts(text) if cut > before - _SEEN), 0)
        if 0 < cut <= len(text) - _SEEN:
            return Piece(cut, max(before, min(cut + CERTAIN, len(text))))
        before, size = size, 4 * size
    if left <= reader.widest:
        return Piece(left, left)
    line = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
    # Never between the two halves of a line end.
    cut = line if line > len(text) // 2 else len(text) - (text[-1] == "\r")
    return Piece(cut, len(text))


def _ends_at(snapshot: Snapshot, start: int, reader: Reader, known: Ends | None, same: int) -> Ends:
    """Find where a piece may end; what an edit further down cannot have changed is taken over."""
    cuts: list[int] = []
    # What begins with a mark of front matter is cut otherwise once that is closed further down.
    if known is not None and snapshot.slice(start, start + 3) not in FRONT_MATTER:
        cuts = known.cuts[: bisect_right(known.cuts, same - CERTAIN)]
    done = len(cuts)
    # At a cut the search may begin, too: nothing that was opened before it goes on there.
    begin = cuts[-1] if cuts else 0
    text = snapshot.slice(start + begin, start + WINDOW)
    last = WINDOW - _SEEN - begin
    cuts += [begin + cut for cut in reader.cuts(text) if 0 < cut <= last]
    worth: dict[int, int] = {}
    for index in range(bisect_left(cuts, _LEAST), len(cuts)):
        cut = cuts[index]
        if known is not None and index < done:
            worth[cut] = known.worth[cut]
            continue
        # Rows of a dataset differ in what is inside of them.
        first = max(cut - _ROW, cuts[index - 1] if index else 0) - begin
        around = text[first : cut - begin + _SEEN]
        worth[cut] = crc32(around.encode("utf-8", "surrogatepass"))
    return Ends(cuts, worth)


def _chosen(ends: Ends) -> int:
    """Choose one of the cuts by the text around it.

    If the last one were taken, one more line would move all cuts that follow; the text around a
    place stays as it is, so that the cuts after an edit soon fall on those before it again.
    """
    return min(ends.worth, key=ends.worth.__getitem__) if ends.worth else ends.cuts[-1]


def _read(reader: Reader, text: str) -> Found:
    """Return what is in a piece, which is read block by block: a key changes only one of them."""
    regions: list[Region] = []
    headings: list[Heading] = []
    edges = [0]
    for cut in reader.cuts(text):
        if cut - edges[-1] >= _BLOCK:
            edges.append(cut)
    for start, end in pairwise((*edges, len(text))):
        found = _read_block(reader.read, text[start:end])
        regions += [_moved(region, start, region.body) for region in found.regions]
        headings += [
            Heading(one.start + start, one.level, one.title, one.anchor + start)
            for one in found.headings
        ]
    return Found(regions, headings)


@lru_cache(maxsize=_BLOCKS)
def _read_known(read: Callable[[str], Found], text: str) -> Found:
    return read(text)


def _read_block(read: Callable[[str], Found], text: str) -> Found:
    return _read_known(read, text) if len(text) <= WINDOW else read(text)


def _without_long_body(region: Region, text: str) -> tuple[Region, tuple[int, int] | None]:
    """Return a region and, when its body is long and stands in the text, its place instead of it."""
    body = region.text
    if len(body) < LONG:
        return region, None
    at = text.find(body, region.start, region.end)
    if at < 0:
        return region, None
    return _moved(region, 0, ""), (at, at + len(body))


def _placed(region: Region, span: tuple[int, int] | None, snapshot: Snapshot, by: int) -> Region:
    body = region.body if span is None else Slice(snapshot, span[0] + by, span[1] + by)
    return _moved(region, by, body)


def _moved(region: Region, by: int, body: str | Slice) -> Region:
    return Region(
        region.kind,
        region.start + by,
        region.end + by,
        region.label,
        body,
        region.exact,
        region.anchor + by,
    )

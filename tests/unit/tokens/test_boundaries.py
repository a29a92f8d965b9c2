"""Pieces of parts of texts, long and short."""

from __future__ import annotations

import random

import pytest

from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.boundaries import EXACT_CHARACTERS, part_around, pieces_between
from transformers_ls.tokens.counter import Counter, Encoding
from transformers_ls.tokens.cuts import NO_CUTS, CutRule
from transformers_ls.tokens.pieces import Piece, pieces_touching


def spelling(token: int) -> str:
    return "<>" if token == hash("<>") % 1000 else f"t{token}"


class ByTwo:
    """A tokenizer of character pairs, counted from each line's start; `é` is two bytes."""

    exact = True
    cuts = NO_CUTS
    special_tokens = frozenset({"<>"})

    def encode(self, text: str) -> Encoding:
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        start = 0
        while start < len(text):
            if text[start] == "é":
                ids += [1, 2]
                offsets += [(start, start + 1)] * 2
                start += 1
                continue
            end = start + 1
            if text[start] != "\n" and text[end : end + 1] not in ("", "\n", "é"):
                end += 1
            ids.append(hash(text[start:end]) % 1000)
            offsets.append((start, end))
            start = end
        return Encoding(ids, offsets)

    def pieces(
        self, text: str, start: int = 0, end: int | None = None, most: int | None = None
    ) -> list[Piece]:
        found = self.encode(text)
        last = len(text) if end is None else end
        return pieces_touching(
            found.ids, found.offsets, start, last, most, spelling, self.special_tokens
        )


class ByTwoWithCuts(ByTwo):
    """The same, of which is known that no token depends on what is in another line."""

    cuts = CutRule(("after line end",))


@pytest.fixture
def counter() -> Counter:
    return ByTwo()  # type: ignore[return-value]


def test_kinds(counter: Counter) -> None:
    found = counter.pieces("ab<>é")
    assert [(p.start, p.end, p.kind) for p in found] == [
        (0, 2, "text"),
        (2, 4, "special"),
        (4, 5, "byte"),
        (4, 5, "byte"),
    ]
    assert [p.index for p in found] == [0, 1, 2, 3]
    assert [p.index for p in counter.pieces("ab<>é", 3, 4)] == [1]
    assert [p.index for p in counter.pieces("ab<>é", 1, None, 2)] == [0, 1]
    assert counter.pieces("ab<>é", 5, 6) == []


@pytest.mark.parametrize("kind", [ByTwo, ByTwoWithCuts])
def test_long_texts_are_read_nearby(kind: type[ByTwo]) -> None:
    counter: Counter = kind()  # type: ignore[assignment]
    source = random.Random(1)
    lines = ["x" * source.randrange(1, 120) for _ in range(3000)]
    text = "\n".join(lines)
    assert len(text) > EXACT_CHARACTERS
    wanted = counter.pieces(text)
    for form in (text, Snapshot.of(text), Slice(Snapshot.of(f"__{text}__"), 2, 2 + len(text))):
        for start in (0, 70_000, len(text) - 10):
            cut = pieces_between(counter, form, start, start + 500)
            assert cut.exact == (kind is ByTwoWithCuts)
            assert [_place(p) for p in cut.pieces] == [
                _place(p) for p in wanted if p.end > start and p.start < start + 500
            ]
    assert not pieces_between(counter, "x" * 70_000, 30_000, 30_010).exact
    short = pieces_between(counter, Slice(Snapshot.of(text), 3, 103), 0, 100)
    assert short.exact
    assert short.pieces == counter.pieces(text[3:103])


def _place(piece: Piece) -> tuple[int, int, int]:
    return piece.start, piece.end, piece.id


def test_short_texts_are_read_nearby_when_asked_and_proven() -> None:
    text = "\n".join("abcdefg"[: 1 + n % 7] for n in range(200))
    plain: Counter = ByTwo()  # type: ignore[assignment]
    cutting: Counter = ByTwoWithCuts()  # type: ignore[assignment]
    for start in range(0, len(text), 7):
        wanted = pieces_between(plain, text, start, start + 3)
        whole = part_around(plain.cuts, text, start, start + 3, near=True)
        assert (whole.text, whole.start, whole.exact) == (text, 0, True)
        part = part_around(cutting.cuts, text, start, start + 3, near=True)
        at = start - part.start
        near = part.cut(cutting.pieces(part.text, at, at + 3), exact=True)
        assert near.exact
        assert [_place(p) for p in near.pieces] == [_place(p) for p in wanted.pieces]
        assert max((p.index for p in near.pieces), default=0) < 8

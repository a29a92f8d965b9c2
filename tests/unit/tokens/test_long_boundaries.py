"""Of a long text, what is read nearby has the tokens of the whole where that is said to be so."""

from __future__ import annotations

import random

from tests.support.texts import generated
from transformers_ls.tokens.boundaries import EXACT_CHARACTERS, part_around, pieces_between
from transformers_ls.tokens.counter import Counter


def test_parts_of_long_texts(counter: Counter) -> None:
    text = "\n".join(f"{part} and some plain words." for part in generated(1500, seed=7))
    assert len(text) > EXACT_CHARACTERS
    whole = counter.pieces(text)
    source = random.Random(7)
    exact = 0
    for _ in range(30):
        start = source.randrange(len(text))
        end = start + source.randrange(1, 500)
        cut = pieces_between(counter, text, start, end)
        if cut.exact:
            exact += 1
            assert [(p.start, p.end, p.id, p.kind) for p in cut.pieces] == [
                (p.start, p.end, p.id, p.kind)
                for p in whole
                if start <= p.start < end or p.start < start < p.end
            ]
    if counter.cuts and not counter.cuts.correction:
        assert exact > 15


def test_short_texts_read_nearby(counter: Counter) -> None:
    text = "\n".join(f"{part} and some plain words." for part in generated(300, seed=8))
    whole = counter.pieces(text)
    for start in range(0, len(text), 997):
        part = part_around(counter.cuts, text, start, start + 1, near=True)
        at = start - part.start
        cut = part.cut(counter.pieces(part.text, at, at + 1), exact=counter.exact)
        assert cut.exact == counter.exact
        assert [(p.start, p.end, p.id, p.kind) for p in cut.pieces] == [
            (p.start, p.end, p.id, p.kind) for p in whole if p.start <= start < p.end
        ]

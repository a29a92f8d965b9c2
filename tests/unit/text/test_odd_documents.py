"""Documents that nobody wrote by hand: each is answered for, before and after a key."""

from __future__ import annotations

import random

import pytest

from transformers_ls.text.regions import find_regions, regions_of
from transformers_ls.text.regions.index import PieceRegions
from transformers_ls.text.snapshot import Snapshot

_RANDOM = random.Random(1)
TEXTS = {
    "brackets": "([{" * 33_000,
    "open calls": "f(\n" * 10_000,
    "quotes": "> " * 20_000 + "x",
    "lists": "- " * 20_000 + "x",
    "backticks": "`" * 100_000,
    "hashes": "#" * 100_000,
    "one line": "some words é🤗 " * 5_000,
    "carriage returns": "\r" * 20_000,
    "mixed line ends": "# a\r\n\r\rwords and more words\n\n\r\nb\r" * 3_000,
    "nothing": "\0" * 100_000,
    "rubbish": "".join(chr(_RANDOM.randrange(0x500)) for _ in range(60_000)),
    "surrogates": "".join(_RANDOM.choices("\ud800\udc00ab #`\"'\r\n", k=60_000)),
    "open string": 'x = """\n' + "def f(): ...\n" * 4_000,
}


@pytest.mark.parametrize("language", ["markdown", "python", "jsonl", "plaintext"])
@pytest.mark.parametrize("name", TEXTS)
def test_odd_documents(language: str, name: str) -> None:
    text = TEXTS[name]
    snapshot = Snapshot.of(text)
    before = regions_of(language, snapshot)
    before.between(0, 3_000)
    middle = len(text) // 2
    after = regions_of(language, snapshot.edit(middle, middle, "\n\nx = '"), before)
    expected = find_regions(language, Snapshot.of(text[:middle] + "\n\nx = '" + text[middle:]))
    assert isinstance(after, PieceRegions)
    assert max(piece.size for piece in after.pieces.rows) <= after.pieces.reader.widest
    found = after.all()
    assert [(one.kind, one.start, one.end, one.label, one.anchor) for one in found] == [
        (one.kind, one.start, one.end, one.label, one.anchor) for one in expected
    ]
    assert all(0 <= one.start < one.end <= len(text) + 7 for one in found)

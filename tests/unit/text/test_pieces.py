"""Pieces that are cut again around an edit are those of the same text cut for the first time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from transformers_ls.text.regions import cuts, pieces
from transformers_ls.text.regions.model import Found
from transformers_ls.text.regions.pieces import Pieces, Reader, pieces_of
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.steps import run

Cut = Callable[[str], Iterator[int]]

PARTS = {
    cuts.before_blocks: [
        "# Títle\n\n", "Words and more words, é.\n\n", "```\nx\n\n", "```\n\n", "<!--\n\n", "-->\n\n", "---\n\n",
        "+++\n\n", "<pre>\n\na\n\n", "</pre>\n\n", "- item\n\n", "a\r\rb\r\n\r\n",
    ],
    cuts.before_statements: [
        "x = 1\n", "value: int = 'a'\n", "def f():\n    return 1\n", '"""\n', "'''", "# it's\n", "import os\n", "@d\n",
        "s = 'a\\\n", "call(\n", ")\n", "class A:\n    y = 2\n",
    ],
    cuts.before_paragraphs: ["One line.\n", "\n", " \t\r\n", "\r", "two words\r\n\r\n", "---\n"],
    cuts.before_lines: ['{"a": 1}\n', '{"role": "user", "content": "Hi."}\r\n', "\n", "---\n", "r\r"],
}  # fmt: skip
FIRST = ["---\n", "+++\r\n", "", "", ""]


def cut(reader: Reader, snapshot: Snapshot, base: Pieces | None = None) -> Pieces:
    return run(pieces_of(reader, snapshot, base))


@pytest.mark.parametrize("where", PARTS, ids=lambda where: where.__name__)
@pytest.mark.parametrize("seed", range(6))
def test_pieces_after_edits(monkeypatch: pytest.MonkeyPatch, where: Cut, seed: int) -> None:
    # Small, so that many pieces have some text that an edit in their window did not change.
    for name, value in {"WINDOW": 640, "_LEAST": 128, "_ROW": 96, "_SEEN": 32}.items():
        monkeypatch.setattr(pieces, name, value)
    monkeypatch.setattr(cuts, "WINDOW", 640)
    rng = random.Random(seed)
    reader = Reader(where, lambda _text: Found([], []))
    parts = PARTS[where]
    snapshot = Snapshot.of(rng.choice(FIRST) + "".join(rng.choices(parts, k=400)))
    base = cut(reader, snapshot)
    resumed = 0
    for _ in range(150):
        # Edits lie near each other, as those of somebody who types do.
        start = min(len(snapshot), max(0, round(rng.gauss(len(snapshot) / 2, 400))))
        if not rng.randrange(4):
            start = rng.randrange(700)
        end = min(len(snapshot), start + rng.choice([0, 0, 0, 1, 5, 40]))
        snapshot = snapshot.edit(start, end, rng.choice([*parts, "x", "\n", ""]))
        base = cut(reader, snapshot, base)
        assert base.starts == cut(reader, snapshot).starts
        resumed += sum(piece.ends is not None for piece in base.rows)
    assert resumed


@pytest.mark.parametrize("mark", ["---", "+++"])
def test_front_matter_that_is_closed_far_down(mark: str) -> None:
    reader = Reader(cuts.before_blocks, lambda _text: Found([], []))
    snapshot = Snapshot.of(f"{mark}\n" + "# Títle\n\nWords and more words.\n\n" * 400)
    base = cut(reader, snapshot)
    for line in ("x", f"{mark}\n", "y"):
        # In the window of the first piece, and far behind its first cuts.
        place = snapshot.text.index("\n\n# Títle", 1_860) + 2
        snapshot = snapshot.edit(place, place, line)
        base = cut(reader, snapshot, base)
        assert base.starts == cut(reader, snapshot).starts
    assert base.starts[1] > 1_860


@pytest.mark.parametrize("where", PARTS, ids=lambda where: where.__name__)
def test_the_search_for_cuts_may_begin_at_one(where: Cut) -> None:
    rng = random.Random(3)
    for _ in range(400):
        text = "".join(rng.choices(PARTS[where], k=30))
        found = list(where(text))
        for number, place in enumerate(found):
            later = [place + more for more in where(text[place:]) if more]
            assert later == found[number + 1 :]

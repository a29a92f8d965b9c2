"""Regions after edits are those of the same text read anew, and cutting a text changes none."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformers_ls.text import chunks
from transformers_ls.text import snapshot as snapshots
from transformers_ls.text.difference import change_between
from transformers_ls.text.regions import (
    Region,
    Regions,
    cuts,
    markdown,
    pieces,
    plain,
    region_at,
    regions_of,
    sections,
)
from transformers_ls.text.regions.index import PieceRegions
from transformers_ls.text.regions.model import Found
from transformers_ls.text.regions.pieces import Reader, pieces_of
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.steps import run

LANGUAGES = ["markdown", "python", "jsonl", "json", "plaintext", "jinja"]

# Whole blocks make long documents, the small pieces break them.
BLOCKS = {
    "markdown": [
        "# Títle\n\n", "## Sub\r\n\r\n", "Top\n===\n\n", "Words and more words.\n\n", "é🤗\n\nb\n\n",
        "```python\nx = 1\n\n# no heading\n\nno paragraph\n```\n\n", "~~~\n\n```\n\n~~~\n\n",
        "- item\n\n  ```\n  in\n  ```\n\n- two\n\n", "> # quoted\n\n", "<!-- \n\n# no\n\n-->\n\n",
        "---\n\n", "<pre>\n\n# no\n\n</pre>\n\n", "    # code\n\n", "a\rb\r\r# c\r\r",
    ],
    "python": [
        "x = 'one'\n", 'PROMPT = """\nYou are\n\ndef f():\n"""\n', "def f(a='b'):\n    'doc'\n    return 1\n\n",
        "class A:\n    '''Doc.'''\n\n    def m(self):\n        'm'\n        return f'{self}'\n\n    y = 'z'\n\n",
        "@w('x')\ndef g():\n    pass\n\n", "call(\n'a',\n)\n", "import os\n", "z: str = ('a'\n 'b')\n", "# it's\n",
        "s = 'a\\\n b'\n", "if x:\n    def h():\n        'h'\n\r\n",
    ],
    "jsonl": [
        '{"role": "user", "content": "hi é"}\n', '{"messages": [{"role": "a", "content": "b\\n c"}]}\r\n',
        '{"text": "some words"}\r', "\n", '{"a": \n', '"x y"\n',
    ],
    "json": [
        '{"role": "user", "content": "hi é"},\n', '{"messages": [{"role": "a", "content": "b\\n c"}]},', "[", "]",
        '{"text": "some words", "n": {"m": [1]}}\n', '"x y", ',
    ],
    "plaintext": ["A line of some words.\n", "More than twenty letters here\r\n\r\n", "\n \t\n", "a\r\r", "\u2028\n"],
    "jinja": ["{% if x %}\n", "text {{ y }}\n", "{% endif %}"],
}  # fmt: skip
SMALL = [
    "", "x", " ", "\n", "\r", "\r\n", "\n\n", "#", "# ", "`", "```", "```\n", "~~~", "---\n", "+++\n", "===\n", "- ",
    "> ", '"', "'", '"""', "'''", "f'", "{", "}", "[", "]", "(", ")", ":", ",", "\\", "é", "🤗", "\ud800", "\udc00",
    "\u2028", "<!--", "-->", "def f():\n", "class B:\n", "    ", "@d\n", "x = ", "role", "\x00", "\x0c",
]  # fmt: skip

Row = tuple[Any, ...]


def row(region: Region | None) -> Row | None:
    if region is None:
        return None
    return (
        region.kind,
        region.start,
        region.end,
        region.label,
        region.text,
        region.exact,
        region.anchor,
    )


def rows(regions: Sequence[Region]) -> list[Row | None]:
    return [row(region) for region in regions]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces so small that a text of a few lines has many of them."""
    monkeypatch.setattr(cuts, "WINDOW", 256)
    for name, value in {
        "WINDOW": 256,
        "_LEAST": 24,
        "_SEEN": 16,
        "_BLOCK": 12,
        "_ROW": 64,
        "LONG": 12,
    }.items():
        monkeypatch.setattr(pieces, name, value)
    monkeypatch.setattr(sections, "LONG", 12)
    for name, value in {"LEAF_SIZE": 32, "BLOCK_WIDTH": 4}.items():
        monkeypatch.setattr(chunks, name, value)
    for name, value in {"LEAF_SIZE": 32, "_SMALL_LEAF": 8, "_SMALL_BLOCK": 2}.items():
        monkeypatch.setattr(snapshots, name, value)


@st.composite
def scripts(draw: st.DrawFn) -> tuple[str, str, list[tuple[float, int, str, int]]]:
    language = draw(st.sampled_from(LANGUAGES))
    block = st.sampled_from(BLOCKS[language])
    text = "".join(draw(st.lists(block | st.sampled_from(SMALL), max_size=60)))
    insertion = st.sampled_from(SMALL) | block | st.lists(block, max_size=8).map("".join)
    edit = st.tuples(
        st.floats(0, 1), st.sampled_from([0, 0, 0, 1, 1, 2, 7, 300]), insertion, st.integers(0, 3)
    )
    return language, text, draw(st.lists(edit, min_size=1, max_size=8))


def check(found: Regions, fresh: Regions, text: str, near: int) -> None:
    """Ask by place first, so that the answers do not lean on `all`."""
    expected = list(fresh.all())
    for offset in {0, near - 1, near, near + 1, near + 40, len(text) // 2, len(text)}:
        assert row(found.at(offset)) == row(region_at(expected, offset)), offset
    for start, end in ((near - 30, near + 30), (near, near), (0, len(text))):
        inside = [region for region in expected if start <= region.anchor <= end]
        assert rows(found.between(start, end)) == rows(inside)
    assert rows(found.all()) == rows(expected)
    if isinstance(found, PieceRegions):
        assert isinstance(fresh, PieceRegions)
        assert found.pieces.starts == fresh.pieces.starts


@settings(max_examples=400, deadline=None)
@given(scripts())
def test_regions_after_edits_are_those_of_the_text_read_anew(
    script: tuple[str, str, list[tuple[float, int, str, int]]],
) -> None:
    language, text, edits = script
    snapshot = Snapshot.of(text)
    known = [regions_of(language, snapshot)]
    for place, deleted, inserted, age in edits:
        start = int(place * len(text))
        end = min(len(text), start + deleted)
        text = text[:start] + inserted + text[end:]
        snapshot = snapshot.edit(start, end, inserted)
        # Requests come late and out of order: any version may be the base of any other.
        base = known[max(0, len(known) - 1 - age)]
        found = regions_of(language, snapshot, base)
        if age != 1:
            check(found, regions_of(language, Snapshot.of(text)), text, start + len(inserted))
        known.append(found)


@settings(max_examples=100, deadline=None)
@given(scripts())
def test_a_version_may_be_based_on_a_newer_one_or_on_another_text(
    script: tuple[str, str, list[tuple[float, int, str, int]]],
) -> None:
    language, text, edits = script
    old = Snapshot.of(text)
    new = old
    for place, deleted, inserted, _ in edits:
        start = int(place * len(new))
        new = new.edit(start, start + deleted, inserted)
    fresh = regions_of(language, Snapshot.of(text))
    check(regions_of(language, old, regions_of(language, new)), fresh, text, len(text) // 3)
    other = regions_of(language, Snapshot.of("".join(BLOCKS[language]) * 3))
    check(regions_of(language, old, other), fresh, text, len(text) // 3)
    elsewhere = regions_of("plaintext", Snapshot.of(text))
    check(regions_of(language, old, elsewhere), fresh, text, len(text) // 3)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["markdown", "python", "jsonl", "plaintext"]), st.data())
def test_cutting_a_text_changes_no_region(language: str, data: st.DataObject) -> None:
    # Whole blocks: how a broken one is read depends on how much of the text is seen with it.
    some = st.lists(st.sampled_from(BLOCKS[language]), min_size=4, max_size=12)
    text = "".join(data.draw(some)) * 4
    cut = regions_of(language, Snapshot.of(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "WINDOW", 1 << 30)
        whole = regions_of(language, Snapshot.of(text))
    assert isinstance(whole, PieceRegions)
    assert len(whole.pieces.rows) <= 1
    assert rows(cut.all()) == rows(whole.all())


@settings(max_examples=200, deadline=None)
@given(scripts())
def test_a_change_turns_one_snapshot_into_the_other(
    script: tuple[str, str, list[tuple[float, int, str, int]]],
) -> None:
    _, text, edits = script
    old = new = Snapshot.of(text)
    for place, deleted, inserted, _ in edits:
        start = int(place * len(new))
        new = new.edit(start, start + deleted, inserted)
    change = change_between(old, new)
    assert text[: change.start] == new.text[: change.start]
    assert text[change.old_end :] == new.text[change.new_end :]
    assert 0 <= change.start <= min(change.old_end, change.new_end)
    assert change_between(new, new) == (len(new),) * 3
    if text == new.text:
        assert change.start == change.old_end == change.new_end


@pytest.mark.parametrize("language", ["markdown", "python", "jsonl", "plaintext"])
def test_a_key_in_a_long_text_makes_few_pieces_new(language: str) -> None:
    lines = (block.replace("o", f"o{n}") for n in range(400) for block in BLOCKS[language])
    text = "".join(lines).replace("\r", "\n")
    snapshot = Snapshot.of(text)
    before = regions_of(language, snapshot)
    assert isinstance(before, PieceRegions)
    at = text.index("o200")
    after = regions_of(language, snapshot.edit(at, at, "x"), before)
    assert isinstance(after, PieceRegions)
    fresh = set(map(id, after.pieces.rows)) - set(map(id, before.pieces.rows))
    assert len(after.pieces.rows) > 100
    assert len(fresh) <= 8
    assert [piece.was_read for piece in after.pieces.rows].count(True) == 0


def test_pieces_cover_the_text_and_start_where_a_line_does() -> None:
    text = "".join(BLOCKS["markdown"]) * 20
    found = regions_of("markdown", Snapshot.of(text))
    assert isinstance(found, PieceRegions)
    starts = found.pieces.starts
    ends = [start + piece.size for start, piece in zip(starts, found.pieces.rows, strict=True)]
    assert ends[:-1] == starts[1:]
    assert (starts[0], ends[-1]) == (0, len(text))
    assert len(starts) > 20
    assert all(text[start - 1] in "\r\n" for start in starts[1:])
    assert found.pieces.index_at(starts[5]) == 5
    assert bisect_left(starts, starts[7]) == 7


def test_a_long_body_is_a_slice_of_its_own_snapshot() -> None:
    text = "# A\n\nsome words\n\n```\na long line of code\n```\n"
    snapshot = Snapshot.of(text)
    old = regions_of("markdown", snapshot)
    assert rows(old.all())
    newer = snapshot.edit(0, 0, "new\n\n")
    section, fence = regions_of("markdown", newer, old).all()
    assert not isinstance(section.body, str)
    assert not isinstance(fence.body, str)
    assert section.body.snapshot is fence.body.snapshot is newer
    assert fence.text == "a long line of code"


def test_what_is_wider_than_the_widest_piece_is_cut_and_a_line_end_is_not() -> None:
    text = ("word and " * 40 + "\r\n" * 90) * 3
    for widest in range(300, 340):
        reader = Reader(cuts.before_statements, lambda text: Found(plain.paragraphs(text)), widest)
        found = PieceRegions(run(pieces_of(reader, Snapshot.of(text))))
        starts = found.pieces.starts
        assert starts == [0, *starts[1:]]
        assert sum(piece.size for piece in found.pieces.rows) == len(text)
        assert len(starts) > 3
        assert "\r\n" not in {text[start - 1 : start + 1] for start in starts[1:]}


def test_regions_meet_where_a_text_was_cut() -> None:
    text = "x" * 2000
    reader = Reader(cuts.before_lines, lambda text: Found(plain.paragraphs(text)), 300)
    found = PieceRegions(run(pieces_of(reader, Snapshot.of(text))))
    first, second, *_ = found.all()
    assert (first.start, first.end, second.start) == (0, 300, 300)
    assert rows(found.between(300, 300)) == rows([first])
    assert row(found.at(300)) == row(second)
    assert row(found.at(len(text))) == row(found.all()[-1])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_document_that_is_too_large_has_no_regions(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(BLOCKS[language]) * 3
    monkeypatch.setattr("transformers_ls.text.regions.LARGEST", len(text))
    base = regions_of(language, Snapshot.of(text))
    grown = regions_of(language, Snapshot.of(text + "x"), base)
    assert base.all()
    assert (grown.at(3), [*grown.between(0, len(text))], [*grown.all()]) == (None, [], [])
    check(regions_of(language, Snapshot.of(text), grown), base, text, 5)


def test_an_edit_right_after_a_far_cut_is_seen() -> None:
    text = 'x = """' + "long " * 150 + '"""\n' + "def f(): ...\n" * 30
    snapshot = Snapshot.of(text)
    base = regions_of("python", snapshot)
    at = text.index("def") + 2
    found = regions_of("python", snapshot.edit(at, at, "_"), base)
    check(found, regions_of("python", Snapshot.of(text[:at] + "_" + text[at:])), text, at)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from([*BLOCKS["markdown"], *SMALL, "-", "=", "+", "##", "\t"]), max_size=12)
)
def test_prose_is_known_without_the_parser(parts: list[str]) -> None:
    text = "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markdown, "_MARK", re.compile(""))
        parsed = markdown.read(text)
    found = markdown.read(text)
    assert rows([*found.regions]) == rows([*parsed.regions])
    assert [*found.headings] == [*parsed.headings]

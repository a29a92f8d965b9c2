"""A snapshot at the sizes where a naive one hurts; bounds are on structure, not on time."""

from __future__ import annotations

from transformers_ls.text.chunks import BLOCK_WIDTH, LEAF_SIZE
from transformers_ls.text.snapshot import Position, PositionEncoding, Snapshot


def leaves(snapshot: Snapshot) -> list[object]:
    return [leaf for block in snapshot._root.children for leaf in block.children]


def test_an_edit_shares_all_but_the_touched_leaves() -> None:
    before = Snapshot.of("hello world\n" * 200_000)
    after = before.edit(1_000_000, 1_000_000, "x")
    fresh = set(map(id, leaves(after))) - set(map(id, leaves(before)))
    assert len(fresh) <= 2
    fresh_blocks = set(map(id, after._root.children)) - set(map(id, before._root.children))
    assert len(fresh_blocks) <= 2


def test_one_endless_line_has_bounded_leaves() -> None:
    snapshot = Snapshot.of("é🤗" * 2_000_000)
    assert snapshot.line_count == 1
    assert all(leaf.totals[0] <= LEAF_SIZE for leaf in leaves(snapshot))
    assert all(len(block.children) <= BLOCK_WIDTH for block in snapshot._root.children)
    position = Position(0, 3 * 1_999_999 + 1)
    assert snapshot.offset_at(position, PositionEncoding.UTF16) == 2 * 1_999_999 + 1
    assert snapshot.position_at(2 * 1_999_999 + 1, PositionEncoding.UTF16) == position


def test_typing_for_long_keeps_leaves_and_blocks_in_bounds() -> None:
    snapshot = Snapshot.of("")
    for number in range(20_000):
        snapshot = snapshot.edit(number, number, "\n" if number % 7 == 0 else "a")
    sizes = [leaf.totals[0] for leaf in leaves(snapshot)]
    assert max(sizes) <= LEAF_SIZE
    assert len(sizes) <= 4 * 20_000 / LEAF_SIZE + 2
    for number in range(20_000, 0, -1):
        snapshot = snapshot.edit(number - 1, number, "")
    assert leaves(snapshot) == []


def test_deleting_across_blocks() -> None:
    text = "".join(f"line {n}\r\n" for n in range(150_000))
    snapshot = Snapshot.of(text).edit(11, 1_400_000, "\n")
    assert snapshot.text == text[:11] + "\n" + text[1_400_000:]
    assert (
        snapshot.line_count
        == snapshot.text.count("\n") + snapshot.text.count("\r") - snapshot.text.count("\r\n") + 1
    )

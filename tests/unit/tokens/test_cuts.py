"""Counts of documents stay exact while they are edited, and cuts are where they may be."""

from __future__ import annotations

import random
import re
import unicodedata
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.texts import NASTY, generated
from transformers_ls.text import chunks
from transformers_ls.text import snapshot as snapshot_module
from transformers_ls.text.chunks import LEAF_SIZE
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens import cache as cache_module
from transformers_ls.tokens import engines as engines_module
from transformers_ls.tokens.cache import CountCache
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.cut_proof import cut_rule
from transformers_ls.tokens.cuts import NO_CUTS, PLAIN, CutRule
from transformers_ls.tokens.segments import Segments

EDITS = 10_000
_JOINTS = (
    "\n",
    "\r\n",
    " \n",
    "\n\n",
    "\n  ",
    "\n\t",
    "\n/",
    " ",
    "a b",
    "\r",
    "\n \n x",
    "</s>\n",
)


class Watched:
    """A counter that tells how much text it was asked to count."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.cuts = counter.cuts
        self.characters = 0

    def count_many(self, texts: Sequence[str]) -> list[int]:
        self.characters += sum(map(len, texts))
        return self._counter.count_many(texts)


def document(source: random.Random, size: int) -> str:
    pool = [*generated(400, source.randrange(1000)), *(text[:80] for text in NASTY)]
    parts: list[str] = []
    while size > 0:
        parts += [source.choice(pool), source.choice(_JOINTS)]
        size -= len(parts[-1]) + len(parts[-2])
    return "".join(parts)


def edited(source: random.Random, snapshot: Snapshot) -> Snapshot:
    start = source.randrange(len(snapshot) + 1)
    end = min(len(snapshot), start + source.choice((0, 0, 0, 1, 5, 60, 3000)))
    new = "".join(
        source.choice((*_JOINTS, "x", "é", "▁", "漢", "1", "<|im_end|>", "<s>"))
        for _ in range(source.choice((0, 1, 1, 2, 6)))
    )
    return snapshot.edit(start, end, new)


def test_documents_are_counted_exactly_through_all_edits(
    counter: Counter, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand texts, each an edit away from the one before, by segments and as wholes."""
    monkeypatch.setattr(cache_module, "_LONG", 1)
    source = random.Random(11)
    cache, wrong = CountCache(), []
    assert counter.cuts
    for number in range(EDITS // 100):
        # Small leaves: with and without cuts, many of them beside the one that is edited.
        leaf, width = source.choice(((4_096, 64), (400, 8), (100, 8)))
        for module in (chunks, snapshot_module):
            monkeypatch.setattr(module, "LEAF_SIZE", leaf)
        monkeypatch.setattr(chunks, "BLOCK_WIDTH", width)
        monkeypatch.setattr(snapshot_module, "_SMALL_LEAF", leaf // 8)
        monkeypatch.setattr(snapshot_module, "_SMALL_BLOCK", width // 4)
        snapshot = Snapshot.of(document(source, source.choice((200, 2_000, 15_000))))
        texts, found = [], []
        for _ in range(100):
            snapshot = edited(source, snapshot)
            start = source.randrange(len(snapshot) + 1)
            part = Slice(snapshot, start, source.randrange(start, len(snapshot) + 1))
            found += cache.count_all(counter, [snapshot, part])
            texts += [snapshot.text, part.text]
        # The fast engine, which is held to the reference by other tests, counts all of them; the
        # reference, a hundred times as slow, some.
        expected = counter.count_many(texts)
        some = [*range(0, len(texts), 40)]
        ids = reference([texts[at] for at in some], add_special_tokens=False)["input_ids"]
        assert [expected[at] for at in some] == [len(row) for row in ids]
        wrong += [(number, at) for at in range(len(texts)) if found[at] != expected[at]]
    assert wrong == []


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parts=st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.sampled_from([*_JOINTS, "word", "</s>", "<|im_end|>", "<unk>", "漢字", "x/", "'s"]),
        ),
        max_size=12,
    )
)
def test_counts_of_parts_add_up(counter: Counter, reference: Any, parts: list[str]) -> None:
    text = "".join(parts)
    pieces = counter.cuts.parts(text)
    assert "".join(pieces) == text
    rows = reference([text, *pieces], add_special_tokens=False)["input_ids"]
    total = sum(map(len, rows[1:])) + counter.cuts.correction * (len(pieces) - 1)
    assert total == len(rows[0])


def test_a_key_in_a_long_document_counts_little_text(counter: Counter) -> None:
    source = random.Random(5)
    line = "The quick brown fox (jumps) over the lazy dog 42 times;\n"
    snapshot = Snapshot.of(document(source, 50_000) + line * 20_000)
    cache, watched = CountCache(), Watched(counter)
    cache.count_snapshot(watched, snapshot)
    for place in (0, 600_000, len(snapshot)):
        watched.characters = 0
        snapshot = snapshot.edit(place, place, "x")
        parts = [snapshot, Slice(snapshot, 100, len(snapshot)), Slice(snapshot, 0, 700_000)]
        counts = cache.count_all(watched, parts)
        assert watched.characters < 60_000
        assert counts == counter.count_many([part.text for part in parts])


def test_a_key_counts_no_more_than_the_leaf_it_is_in(counter: Counter) -> None:
    """The segment before it ends with the leaf's first cut, and so it reads as before."""
    line = "The quick brown fox (jumps) over the lazy dog 42 times;\n"
    snapshot = Snapshot.of(line * 5_000)
    cache, watched = CountCache(), Watched(counter)
    place = len(snapshot) // 2
    for _ in range(5):
        snapshot = snapshot.edit(place, place, "x")
        place += 1
        cache.count_snapshot(watched, snapshot)
        watched.characters = 0
        snapshot = snapshot.edit(place, place, "y")
        assert cache.count_snapshot(watched, snapshot) == counter.count(snapshot.text)
        assert 0 < watched.characters < LEAF_SIZE + 2 * len(line)


def test_a_cache_that_was_cleared_keeps_no_counter(counter: Counter) -> None:
    """A counter that nobody has any more ends its process, though the document is still open."""
    snapshot = Snapshot.of("some plain words\n" * 5_000)
    cache, watched = CountCache(), Watched(counter)
    late = cache.ask(watched, [snapshot])
    tokens = cache.count_snapshot(watched, snapshot)
    held = weakref.ref(watched)
    cache.clear()
    # Who was still counting may find segments after that; they are not kept.
    assert cache.answer(late, watched.count_many(late.texts)) == [tokens]
    other = Snapshot.of("more plain words\n" * 5_000)
    assert cache.count_snapshot(counter, other) == counter.count(other.text)
    assert cache.count_snapshot(counter, snapshot) == tokens
    cache.clear()
    del late, watched
    assert held() is None


def test_a_cache_may_be_cleared_while_others_count(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, snapshot = CountCache(), Snapshot.of("some plain words\n" * 5_000)
    expected = cache.count_snapshot(counter, snapshot)
    other = Watched(counter)
    # Another rule of the same meaning, since there is no such character: its segments are new.
    other.cuts = replace(counter.cuts, not_left=f"{counter.cuts.not_left}\x01")
    forget = Segments.forget

    def forget_slowly(segments: Segments) -> None:
        monkeypatch.undo()
        with ThreadPoolExecutor() as pool:
            assert pool.submit(cache.count_snapshot, other, snapshot).result(20) == expected
        forget(segments)

    monkeypatch.setattr(Segments, "forget", forget_slowly)
    cache.clear()
    assert Segments.forget is forget
    # What that one noted lasts, for it came after.
    other.characters = 0
    assert cache.count_snapshot(other, snapshot.edit(0, 0, "")) == expected
    assert other.characters < len(snapshot) // 2
    assert cache.count_snapshot(counter, snapshot) == expected


def test_a_document_without_cuts_is_counted_whole(qwen3: Counter) -> None:
    cache, watched = CountCache(), Watched(qwen3)
    snapshot = Snapshot.of("0123456789abc" * 5_000)
    assert cache.count_snapshot(watched, snapshot) == qwen3.count(snapshot.text)
    watched.cuts = NO_CUTS
    other = Snapshot.of("plain words\n" * 5_000)
    watched.characters = 0
    assert cache.count_snapshot(watched, other) == qwen3.count(other.text)
    assert watched.characters == len(other)


def test_plain_characters_are_apart_from_what_stands_before_them() -> None:
    """What the proofs ask of them, by this interpreter's tables of Unicode."""
    for char in filter(re.compile(f"[{PLAIN}]").match, map(chr, range(0x10000))):
        assert not char.isspace()
        assert unicodedata.combining(char) == 0
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            normal = unicodedata.normalize(form, char)
            assert not any(map(str.isspace, normal)), hex(ord(char))
            for before in "ae ½\n":
                joined = unicodedata.normalize(form, before + char)
                assert joined == unicodedata.normalize(form, before) + normal


GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
CL100K = {
    "type": "Split",
    "pattern": {
        "Regex": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}
ODD = {**CL100K, "pattern": {"Regex": r"\p{N}|(?<=a) ?\p{L}+|\s+(?!\S)|\s+"}}


def tokenizer(pre: object = GPT2, normalizer: object = None, **added: Any) -> dict[str, Any]:
    token = {"id": 0, "content": "<x>", "normalized": False, "special": True, **added}
    model = {"type": "BPE", "vocab": {"a": 0}, "merges": []}
    return {
        "normalizer": normalizer, "pre_tokenizer": pre, "model": model, "added_tokens": [token],
    }  # fmt: skip


def test_what_is_proven() -> None:
    assert cut_rule(tokenizer()).places == ("word", "before line end")
    assert cut_rule(tokenizer(CL100K)) == CutRule(("word", "after line end"), not_right="/")
    assert cut_rule(tokenizer(normalizer={"type": "NFC"}))
    assert cut_rule(tokenizer(rstrip=True)).not_left == "\r>"
    assert "after line end" not in cut_rule(tokenizer(CL100K, rstrip=True)).places
    assert cut_rule(tokenizer(CL100K, lstrip=True)).not_right == "/<"
    assert not cut_rule(tokenizer(content="a b"))
    assert cut_rule(tokenizer(content="x\n")).places == ("word",)


@pytest.mark.parametrize(
    "values",
    [
        tokenizer(single_word=True),
        tokenizer({**GPT2, "add_prefix_space": True}),
        tokenizer(ODD),
        tokenizer({**CL100K, "invert": True}),
        tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": ""}),
        tokenizer(normalizer={"type": "Replace", "pattern": {"Regex": "\n+"}, "content": " "}),
        tokenizer(None),
        tokenizer({"type": "Metaspace", "replacement": "▁", "split": True}),
        tokenizer({"type": "Sequence", "pretokenizers": [GPT2, {"type": "Punctuation"}]}),
    ],
)
def test_what_is_not_proven_is_not_cut(values: dict[str, Any]) -> None:
    assert cut_rule(values) == NO_CUTS


def test_merges_over_a_line_feed_forbid_cuts() -> None:
    gemma = tokenizer(None)
    gemma["model"]["vocab"] = {"\n": 0, "a": 1, "\n\n": 2, "▁the": 3}
    assert cut_rule(gemma).places == ("word", "before line feed")
    gemma["model"]["vocab"]["a▁"] = 4
    assert cut_rule(gemma).places == ("before line feed",)
    gemma["model"]["vocab"][";\n"] = 5
    assert cut_rule(gemma) == NO_CUTS


def test_a_long_text_is_counted_in_chunks(
    counter: Counter, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(3)
    texts = [document(source, 30_000), "short", "a" * 20_000, document(source, 9_000)]
    monkeypatch.setattr(engines_module, "_CHUNK", 500)
    chunks = counter.cuts.chunks(texts[0], 500)
    assert "".join(chunks) == texts[0]
    assert len(chunks) > 20
    assert all(len(chunk) >= 500 for chunk in chunks[:-1])
    ids = reference(texts, add_special_tokens=False)["input_ids"]
    assert counter.count_many(texts) == [len(row) for row in ids]

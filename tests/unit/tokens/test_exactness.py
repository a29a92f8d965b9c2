"""Counts are those of AutoTokenizer, on every tokenizer at hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.texts import NASTY, generated
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.tokens.cache import CountCache
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.fast import ENGINES

GENERATED = 10_000


def expected(reference: Any, texts: list[str]) -> list[list[int]]:
    return reference(texts, add_special_tokens=False)["input_ids"]


def test_the_counter_is_exact_and_fast(counter: Counter) -> None:
    assert counter.exact
    assert counter.reason == ""
    assert counter.name in ENGINES


def test_nasty_texts(counter: Counter, reference: Any) -> None:
    ids = expected(reference, NASTY)
    assert counter.count_many(NASTY) == [len(row) for row in ids]
    assert [counter.encode(text).ids for text in NASTY] == ids


@pytest.mark.parametrize("seed", range(2))
def test_generated_texts(counter: Counter, reference: Any, seed: int) -> None:
    texts = list(generated(GENERATED // 2, seed))
    counts = counter.count_many(texts)
    wrong = [
        (text, found, len(ids))
        for text, found, ids in zip(texts, counts, expected(reference, texts), strict=True)
        if found != len(ids)
    ]
    assert wrong == []


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text(counter: Counter, reference: Any, texts: list[str]) -> None:
    assert counter.count_many(texts) == [len(ids) for ids in expected(reference, texts)]
    joined = "".join(texts)
    encoding = counter.encode(joined)
    assert encoding.ids == expected(reference, [joined])[0]
    assert all(0 <= start <= end <= len(joined) for start, end in encoding.offsets)


def test_a_long_text_is_one_text(counter: Counter, reference: Any) -> None:
    text = "\n".join(generated(2_000, seed=7))
    assert counter.count(text) == len(expected(reference, [text])[0])


def test_added_tokens_are_told_apart(counter: Counter, reference: Any) -> None:
    text = "Hello there"
    plain = len(reference(text, add_special_tokens=False)["input_ids"])
    assert counter.count(text) == plain
    assert counter.added_tokens == len(reference(text)["input_ids"]) - plain


def test_special_tokens_are_found_where_the_tokenizer_finds_them(
    counter: Counter, reference: Any
) -> None:
    token = reference.eos_token
    text = f"é {token}x{token[:-1]} {token}"
    assert counter.special_spans(text) == [
        span for span in counter.encode(text).offsets if text[span[0] : span[1]] == token
    ]
    assert counter.special_spans("none here") == []


def test_a_lone_surrogate_is_read_as_the_replacement_character(counter: Counter) -> None:
    text = "a\ud800b\udfff é"
    assert counter.count(text) == counter.count("a\ufffdb\ufffd é")
    assert len(counter.encode(text).offsets) == counter.count(text)


def test_remembered_counts_are_the_same(qwen3: Counter) -> None:
    cache = CountCache(characters=400)
    texts = list(generated(60, seed=3))
    for _ in range(2):
        assert [cache.count(qwen3, text) for text in texts] == qwen3.count_many(texts)
    assert sum(len(text) for _, text in cache._texts) <= 400
    snapshot = Snapshot.of("one two")
    assert cache.count_snapshot(qwen3, snapshot) == cache.count_snapshot(qwen3, snapshot) == 2
    edited = snapshot.edit(7, 7, " three")
    assert cache.count_snapshot(qwen3, edited) == 3

"""Vocabularies of other libraries count as those libraries count, and say what was assumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.native_vocabularies import (
    SPECIAL,
    tiktoken_ids,
    train_sentencepiece,
    write_tekken,
    write_tiktoken,
)
from tests.support.texts import NASTY, generated
from transformers_ls.errors import ModelBrokenError
from transformers_ls.hub.resolve import resolve
from transformers_ls.tokens.tokenizers import load_counter

TEXTS = [
    text
    for text in [*generated(2_000, seed=31), *NASTY]
    if not any(token in text for token in SPECIAL)
]


def test_a_sentencepiece_model(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    path = train_sentencepiece(tmp_path / "some.model", "bpe")
    counter = load_counter(path)
    assert not counter.exact
    assert "LlamaTokenizer" in counter.reason
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    # Where a text begins with a blank, LlamaTokenizer puts no other one before it.
    texts = [text for text in TEXTS if not text.startswith((" ", "▁"))]
    assert [counter.encode(text).ids for text in texts] == processor.encode(texts)
    assert counter.count_many(texts) == [len(ids) for ids in processor.encode(texts)]


def test_a_unigram_model_says_what_it_is_read_as(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    counter = load_counter(train_sentencepiece(tmp_path / "spiece.model", "unigram"))
    assert not counter.exact
    assert "T5Tokenizer" in counter.reason
    assert counter.count("the quick brown fox") > 0


@pytest.mark.parametrize("name", ["some.tiktoken", "tokenizer.model"])
def test_a_tiktoken_file(tmp_path: Path, name: str) -> None:
    pytest.importorskip("regex")
    counter = load_counter(write_tiktoken(tmp_path / name))
    assert not counter.exact
    assert "names no pattern" in counter.reason
    expected = [tiktoken_ids(text) for text in TEXTS]
    assert [counter.encode(text).ids for text in TEXTS] == expected
    assert counter.count_many(TEXTS) == [len(ids) for ids in expected]
    assert counter.cuts


def test_a_folder_with_a_tiktoken_file(tmp_path: Path) -> None:
    write_tiktoken(tmp_path / "o200k_base.tiktoken")
    (tmp_path / "config.json").write_text("{}")
    folder = resolve(str(tmp_path)).folder
    assert "o200k_base" in load_counter(folder).reason


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_tekken_file(tmp_path: Path, *, as_folder: bool) -> None:
    pytest.importorskip("regex")
    path = write_tekken(tmp_path / "tekken.json")
    counter = load_counter(resolve(str(tmp_path if as_folder else path)).folder)
    assert counter.exact
    expected = [[number + len(SPECIAL) for number in tiktoken_ids(text)] for text in TEXTS]
    assert [counter.encode(text).ids for text in TEXTS] == expected
    assert counter.special_tokens == {*SPECIAL}
    assert counter.count("[INST]") == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "broken.model"
    path.write_bytes(b"\xff\xfe not a model")
    with pytest.raises(ModelBrokenError, match=r"broken\.model") as raised:
        load_counter(path)
    assert raised.value.hint
    lines = tmp_path / "broken.tiktoken"
    lines.write_bytes(b"IQ== 0\nnot base64\n")
    with pytest.raises(ModelBrokenError, match="line 2"):
        load_counter(lines)
    (tmp_path / "tekken.json").write_text('{"config": {}}')
    with pytest.raises(ModelBrokenError, match=r"tekken\.json"):
        load_counter(tmp_path / "tekken.json")

"""Counts from GGUF vocabularies against llama.cpp's own test vectors.

Two of them, for the sake of time; `bench/vocabularies.py` goes through all.
"""

from __future__ import annotations

import pytest

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.vocabularies import Vocabulary, vocabularies
from transformers_ls.errors import ModelBrokenError
from transformers_ls.tokens.tokenizers import load_counter


@pytest.fixture(scope="module")
def vocabulary() -> dict[str, Vocabulary]:
    try:
        return vocabularies()
    except UnavailableError as error:
        pytest.skip(str(error))


def test_a_trusted_conversion_gives_the_expected_tokens(vocabulary: dict[str, Vocabulary]) -> None:
    expected = vocabulary["phi-3"]
    counter = load_counter(expected.path)
    assert counter.exact
    assert [counter.encode(text).ids for text in expected.texts] == expected.ids
    assert counter.count_many(expected.texts) == [len(ids) for ids in expected.ids]


def test_a_doubtful_conversion_says_so(vocabulary: dict[str, Vocabulary]) -> None:
    counter = load_counter(vocabulary["llama-spm"].path)
    assert not counter.exact
    assert "llama, default" in counter.reason


def test_what_transformers_does_not_know_is_an_error(vocabulary: dict[str, Vocabulary]) -> None:
    with pytest.raises(ModelBrokenError, match="not supported") as raised:
        load_counter(vocabulary["refact"].path)
    assert raised.value.hint

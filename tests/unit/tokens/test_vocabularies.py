"""Every vocabulary at hand that the reference can load counts as the reference does.

The reference is AutoTokenizer, which reads a .gguf file itself here: ten seconds each. What it
cannot load is `test_gguf.py`'s affair.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.texts import generated
from tests.support.vocabularies import vocabularies
from transformers_ls.tokens.tokenizers import load_counter

pytestmark = pytest.mark.models

LOADABLE = (
    "phi-3", "qwen2", "qwen35", "gpt-2", "starcoder", "llama-bpe", "deepseek-llm",
    "deepseek-coder", "falcon", "llama-spm",
)  # fmt: skip
EXACT = {"phi-3", "qwen2", "qwen35", "gpt-2"}
GENERATED = 10_000


def reference_of(path: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)


@pytest.mark.parametrize("name", LOADABLE)
def test_counts_are_those_of_the_reference(name: str) -> None:
    try:
        vocabulary = vocabularies()[name]
    except UnavailableError as error:
        pytest.skip(str(error))
    counter, reference = load_counter(vocabulary.path), reference_of(vocabulary.path)
    texts = [*vocabulary.texts, *generated(GENERATED, seed=41)]
    expected = reference(texts, add_special_tokens=False)["input_ids"]
    counts = counter.count_many(texts)
    pairs = zip(texts, counts, map(len, expected), strict=True)
    assert [row for row in pairs if row[1] != row[2]] == []
    encoded = [counter.encode(text).ids for text in vocabulary.texts]
    assert encoded == expected[: len(vocabulary.texts)]
    # Exact is only what llama.cpp counts so too.
    assert counter.exact == (name in EXACT)
    if counter.exact:
        assert encoded == vocabulary.ids

"""The table of tokenizers, formats and exactness.

    python bench/vocabularies.py

GGUF vocabularies are held to llama.cpp's test vectors; tokenizers in Hugging Face form are held to
AutoTokenizer by the tests. Takes some minutes at the first time.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.tokenizer_files import TOKENIZERS, tokenizer_folder
from tests.support.vocabularies import vocabularies
from transformers_ls.errors import TransformersLsError
from transformers_ls.tokens.tokenizers import load_counter


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main() -> int:
    row("tokenizer", "format", "counted by", "shown as", "ids equal", "counts equal")
    row(*["---"] * 6)
    failed = False
    for name in TOKENIZERS:
        counter = load_counter(tokenizer_folder(name))
        shown = "exact" if counter.exact else f"≈ ({counter.reason})"
        row(name, "tokenizer.json", counter.name, shown, "see the tests", "see the tests")
    for name, vocabulary in vocabularies().items():
        try:
            counter = load_counter(vocabulary.path)
        except TransformersLsError as error:
            row(name, "GGUF", "", f"not loaded: {error.message.partition(': ')[2]}", "", "")
            continue
        total = len(vocabulary.ids)
        ids = [counter.encode(text).ids for text in vocabulary.texts]
        same = sum(map(list.__eq__, ids, vocabulary.ids))
        counts = counter.count_many(vocabulary.texts)
        equal = sum(n == len(tokens) for n, tokens in zip(counts, vocabulary.ids, strict=True))
        shown = "exact" if counter.exact else "≈"
        failed = failed or (counter.exact and same < total)
        row(name, "GGUF", counter.name, shown, f"{same}/{total}", f"{equal}/{total}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

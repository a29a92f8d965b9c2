"""The table of tokenizers, formats and exactness, in Markdown.

    python bench/vocabularies.py [--write FILE]

Each is counted by us and by the reference library with the same pipeline, on llama.cpp's test vectors
where there are some and on 10,000 generated texts. GGUF vocabularies are held to the vectors' ids too.
Takes some minutes at the first time: every tokenizer is converted and checked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.native_vocabularies import train_sentencepiece, write_tekken, write_tiktoken
from tests.support.texts import generated
from tests.support.tokenizer_files import TOKENIZERS, tokenizer_folder
from tests.support.vocabularies import Vocabulary, vocabularies
from transformers_ls.errors import TransformersLsError
from transformers_ls.hub.catalogue import EMBEDDED
from transformers_ls.paths import models_dir
from transformers_ls.tokens.engines import load_reference
from transformers_ls.tokens.tokenizers import load_counter, prepare

GENERATED = 10_000
HEAD = (
    "tokenizer", "format", "shown as", "counted by", "counts equal to the reference",
    "ids equal to llama.cpp's vectors", "a key in a long document costs",
)  # fmt: skip


def sources(scratch: Path) -> Iterator[tuple[str, str, Path, Vocabulary | None]]:
    for name in TOKENIZERS:
        yield name, "folder of the Hub", tokenizer_folder(name), None
    for name in EMBEDDED:
        if (models_dir() / name / "tokenizer.json").is_file():
            yield name, "embedded model", models_dir() / name, None
    for name, vocabulary in vocabularies().items():
        yield name, "GGUF", vocabulary.path, vocabulary
    for kind in ("bpe", "unigram"):
        path = train_sentencepiece(scratch / f"{kind}.model", kind)
        yield f"small {kind} model", "sentencepiece `.model`", path, None
    yield "small vocabulary", "tiktoken", write_tiktoken(scratch / "cl100k_base.tiktoken"), None
    yield "small vocabulary", "`tekken.json`", write_tekken(scratch / "tekken.json"), None


def row(name: str, kind: str, path: Path, vocabulary: Vocabulary | None) -> tuple[list[str], bool]:
    """Return the cells, and whether what is shown as exact is."""
    try:
        counter = load_counter(path)
    except TransformersLsError as error:
        why = error.message.partition(": ")[2] or error.message
        return [name, kind, f"not loaded: {why}", "", "", "", ""], True
    reference = load_reference(prepare(path).path)
    texts = [*(vocabulary.texts if vocabulary else ()), *generated(GENERATED, seed=99)]
    expected = [len(ids.ids) for ids in reference.encode_batch(texts, add_special_tokens=False)]
    equal = sum(map(int.__eq__, counter.count_many(texts), expected))
    ok, vectors = equal == len(texts), ""
    if vocabulary:
        pairs = zip(vocabulary.texts, vocabulary.ids, strict=True)
        same = sum(counter.encode(text).ids == ids for text, ids in pairs)
        vectors = f"{same} of {len(vocabulary.ids)}"
        ok = ok and (same == len(vocabulary.ids) or not counter.exact)
    shown = "exact" if counter.exact else f"≈: {counter.reason}"
    key = "some thousand characters" if counter.cuts else "a count of all of it"
    cells = [name, kind, shown, counter.name, f"{equal:,} of {len(texts):,}", vectors, key]
    return cells, ok


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="write the table to this file too")
    arguments = parser.parse_args()
    lines = []
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        rows = sources(Path(scratch))
        lines = [f"| {' | '.join(HEAD)} |", "|" + " :-- |" * len(HEAD)]
        print(*lines, sep="\n", flush=True)
        for source in rows:
            cells, ok = row(*source)
            failed = failed or not ok
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
            print(lines[-1], flush=True)
    if arguments.write:
        arguments.write.write_text("\n".join(lines) + "\n", "utf-8")
    print("FAILED" if failed else "ok")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

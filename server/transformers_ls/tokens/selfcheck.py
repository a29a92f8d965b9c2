"""Checks a tokenizer.json, and the fast engines against the reference; a process of its own.

`python -m transformers_ls.tokens.selfcheck TOKENIZER_JSON` prints one JSON object. It runs once for
each tokenizer and version of the libraries: loading holds the interpreter's lock for half a second
for each engine, a broken file may end the process, and what the reference takes is given back.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers_ls.tokens.cut_proof import cut_rule
from transformers_ls.tokens.cuts import NO_CUTS, CutRule
from transformers_ls.tokens.engines import load_reference
from transformers_ls.tokens.fast import ENGINES, FastEngine
from transformers_ls.tokens.limits import limit_memory
from transformers_ls.tokens.probe import probe_texts
from transformers_ls.tokens.spelling import ByteSpelling

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["check", "main"]


_SHORT = 300
"""Code points."""


def check(path: Path) -> dict[str, Any]:
    """Return what is to know about a tokenizer.json: see `Pipeline`.

    Raises:
        Exception: As the reference library does for a file that it cannot read.
    """
    reference = load_reference(path)
    special = [
        token.content for token in reference.get_added_tokens_decoder().values() if token.special
    ]
    texts = [*probe_texts(special)]
    encodings = reference.encode_batch(texts, add_special_tokens=False)
    expected = [encoding.ids for encoding in encodings]
    pipeline = json.loads(path.read_bytes())
    cuts = cut_rule(pipeline)
    if not _holds(cuts, reference, texts):
        cuts = NO_CUTS
    refused: dict[str, str] = {}
    chosen, spells_bytes = "", False
    for name in _by_speed(pipeline):
        engine = _equal_engine(name, path, texts, expected)
        if not isinstance(engine, str):
            chosen = name
            spells_bytes = _spells_bytes(engine, reference, frozenset(special), texts, encodings)
            break
        refused[name] = engine
    return {
        "added_tokens": reference.num_special_tokens_to_add(is_pair=False),
        "special_tokens": special,
        "engine": chosen,
        "spells_bytes": spells_bytes,
        "cuts": cuts.as_json(),
        "refused": refused,
    }


def _by_speed(pipeline: dict[str, Any]) -> list[str]:
    """Return the engines in the order in which they are tried.

    Where no regular expression cuts a text into words (Gemma), gigatoken takes half the time and a
    third of the memory of fastokens; elsewhere they are alike, and fastokens more often exact.
    """
    splits = _patterns(pipeline.get("pre_tokenizer"))
    by_words = any(pattern is None or "Regex" in pattern for pattern in splits)
    return list(ENGINES) if by_words else list(reversed(ENGINES))


def _patterns(step: dict[str, Any] | None) -> list[dict[str, Any] | None]:
    """Return the patterns of all pre-tokenizers, None for one that has another way to cut."""
    if step is None:
        return []
    if step["type"] == "Sequence":
        return [pattern for part in step["pretokenizers"] for pattern in _patterns(part)]
    return [step.get("pattern") if step["type"] == "Split" else None]


def _holds(rule: CutRule, reference: Tokenizer, texts: list[str]) -> bool:
    """Tell whether the counts of parts add up to those of wholes: short probes in rows of 40."""
    # The long probes go through all characters, which is not what cuts depend on.
    short = [text for text in texts if len(text) <= _SHORT]
    rows = ["\n".join(short[start : start + 40]) for start in range(0, len(short), 40)]
    parts = [rule.parts(row) for row in rows]
    flat = [part for row in parts for part in row]
    wholes = reference.encode_batch(rows, add_special_tokens=False)
    counts = (len(part.ids) for part in reference.encode_batch(flat, add_special_tokens=False))
    return all(
        sum(islice(counts, len(row))) + rule.correction * (len(row) - 1) == len(whole.ids)
        for row, whole in zip(parts, wholes, strict=True)
    )


def _equal_engine(
    name: str, path: Path, texts: list[str], expected: list[list[int]]
) -> FastEngine | str:
    """Return a fast engine, or how it differs from the reference."""
    try:
        engine = ENGINES[name](path)
        for number, (text, ids) in enumerate(zip(texts, expected, strict=True)):
            if engine.ids(text) != ids:
                return f"other tokens than the reference on probe {number}"
        if engine.count_many(texts) != [len(ids) for ids in expected]:
            return "other counts than the reference"
    except ImportError:
        return "not installed"
    # What a young engine raises, and on what, is its own affair: it is then not used.
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
    return engine


def _spells_bytes(
    engine: FastEngine,
    reference: Tokenizer,
    special: frozenset[str],
    texts: list[str],
    encodings: Sequence[Any],
) -> bool:
    """Tell whether the spelling of tokens says where they stand, as the reference does.

    It need not on each probe, since some are changed by normalizers; where it does, it must be right.
    """
    spelling = ByteSpelling(lambda token: engine.token(token) or "", special)
    told = 0
    for text, encoding in zip(texts, encodings, strict=True):
        # The long ones go through all characters, which are spelled alike.
        if len(text) > _SHORT or (spans := spelling.spans(text, encoding.ids)) is None:
            continue
        if spans != encoding.offsets:
            return False
        if any(engine.token(token) != reference.id_to_token(token) for token in set(encoding.ids)):
            return False
        told += bool(text)
    return told > 0


def main(arguments: list[str]) -> int:
    """Print the facts, or the error, of the file named first."""
    limit_memory()
    try:
        facts = check(Path(arguments[0]))
    # The reference library raises bare `Exception`.
    except Exception as error:  # noqa: BLE001
        facts = {"error": f"{error}"[:300]}
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

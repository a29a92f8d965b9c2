"""Small real vocabularies in the formats of sentencepiece, tiktoken and Mistral's tekken."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

from tests.support.texts import generated

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ("<unk>", "<s>", "</s>", "[INST]")


def train_sentencepiece(path: Path, kind: str) -> Path:
    """Train a model of a kind (`bpe`, `unigram`) and write it."""
    import sentencepiece

    lines = [text.replace("\n", " ") for text in generated(1_500, seed=1)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=900,
        model_type=kind,
        byte_fallback=kind == "bpe",
        character_coverage=0.98,
        normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc",
        remove_extra_whitespaces=kind != "bpe",
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
    return path


def ranks() -> dict[bytes, int]:
    """Return a byte-level BPE vocabulary: each token but the bytes is made of two before it."""
    found = {bytes([byte]): byte for byte in range(256)}
    words = ["the", "then", "ing", "漢字", "naïve", "return", "123", "://", "    ", "\n\n", " and"]
    for word in words:
        data = word.encode()
        for end in range(2, len(data) + 1):
            found.setdefault(data[:end], len(found))
    return found


def tiktoken_ids(text: str) -> list[int]:
    """Encode as tiktoken does: the pair of the lowest rank is merged first."""
    import regex

    known = ranks()
    ids: list[int] = []
    for piece in regex.findall(PATTERN, text):
        parts = [bytes([byte]) for byte in piece.encode()]
        while len(parts) > 1:
            pairs = [known.get(parts[at] + parts[at + 1], 1 << 30) for at in range(len(parts) - 1)]
            best = min(pairs)
            if best == 1 << 30:
                break
            at = pairs.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        ids += [known[part] for part in parts]
    return ids


def write_tiktoken(path: Path) -> Path:
    """Write the vocabulary as lines of Base64 and rank."""
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks().items()]
    path.write_bytes(b"".join(lines))
    return path


def write_tekken(path: Path) -> Path:
    """Write the vocabulary as a tekken.json with some control tokens before it."""
    vocabulary = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for token, rank in ranks().items()
    ]
    control = [
        {"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(SPECIAL)
    ]
    config = {
        "pattern": PATTERN,
        "num_vocab_tokens": len(vocabulary),
        "default_vocab_size": len(vocabulary) + len(SPECIAL),
        "default_num_special_tokens": len(SPECIAL),
        "version": "v3",
    }
    values = {"config": config, "vocab": vocabulary, "special_tokens": control}
    path.write_text(json.dumps(values))
    return path

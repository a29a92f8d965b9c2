"""Vocabularies that are no Hugging Face files: sentencepiece, tiktoken, Mistral's tekken.

transformers has a converter for each; here are the assumptions that it needs where a file does not say
everything, in words for users.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

__all__ = ["convert_native"]

_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_PATTERNS = {
    "o200k": _O200K, "cl100k": _CL100K, "p50k": _GPT2, "r50k": _GPT2, "gpt2": _GPT2,
}  # fmt: skip
"""How tiktoken's own encodings cut a text, by the beginning of the file's name."""


def convert_native(kind: str, path: Path) -> tuple[Any, str]:
    """Convert a vocabulary file.

    Args:
        kind: `sentencepiece`, `tiktoken` or `tekken`.
        path: The file.

    Returns:
        A `tokenizers.Tokenizer`, and what had to be assumed; empty for nothing.

    Raises:
        Exception: What the converters raise for files that they cannot read.
    """
    return {"sentencepiece": _sentencepiece, "tiktoken": _tiktoken, "tekken": _tekken}[kind](path)


def _tekken(path: Path) -> tuple[Any, str]:
    from transformers.integrations.mistral.tokenizer import MistralConverter

    # The file holds the pattern and the control tokens too.
    return MistralConverter(str(path)).converted(), ""


def _tiktoken(path: Path) -> tuple[Any, str]:
    from transformers.convert_slow_tokenizer import TikTokenConverter

    class Converter(TikTokenConverter):  # type: ignore[misc]
        """Without the package tiktoken, which would only read the lines."""

        @staticmethod
        def load_tiktoken_bpe(tiktoken_url: str) -> dict[bytes, int]:
            return _ranks(Path(tiktoken_url))

    name = next((name for name in _PATTERNS if path.name.startswith(name)), "")
    tokenizer = Converter(vocab_file=str(path), pattern=_PATTERNS.get(name, _CL100K)).converted()
    kind = f"{name}_base" if name else "cl100k_base and Llama 3"
    return tokenizer, f"a tiktoken file names no pattern and no control tokens: read as {kind}"


def _ranks(path: Path) -> dict[bytes, int]:
    """Read lines of a token in Base64 and its rank."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise ValueError(f"line {number} is not a token in Base64 and its rank") from error
    return ranks


def _sentencepiece(path: Path) -> tuple[Any, str]:
    """Convert as the class does that most models with such a file use."""
    from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
    from transformers import LlamaTokenizer, T5Tokenizer

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(path.read_bytes())
    merges = model.trainer_spec.model_type == 2
    chosen = LlamaTokenizer if merges else T5Tokenizer
    pieces = SentencePieceProcessor(model_file=str(path))
    known = {
        name: pieces.id_to_piece(number)
        for name, number in (
            ("unk_token", pieces.unk_id()),
            ("bos_token", pieces.bos_id()),
            ("eos_token", pieces.eos_id()),
            ("pad_token", pieces.pad_id()),
        )
        if number >= 0
    }
    arguments = chosen.convert_to_native_format(vocab_file=str(path), **known)
    tokenizer = chosen(**arguments, **({} if merges else {"extra_ids": 0}))
    return (
        tokenizer.backend_tokenizer,
        f"a bare sentencepiece model names no tokenizer class: read as {chosen.__name__}",
    )

"""Where tokens stand in a text, told by their spelling alone, where a vocabulary spells bytes.

Byte-level BPE writes each byte as a character of its own (GPT-2's `bytes_to_unicode`,
https://github.com/openai/gpt-2/blob/master/src/encoder.py), so that tokens put together are the text,
unless a normalizer changed it. Fast engines return ids only; the reference library returns offsets,
but at 1 MB a second, and after taking as much memory again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from transformers_ls.tokens.pieces import Span

__all__ = ["ByteSpelling", "byte_spans"]


def _bytes_of_characters() -> dict[str, int]:
    """Return GPT-2's table: visible characters of Latin-1 stand for themselves, the rest moves up."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    visible += range(ord("®"), ord("ÿ") + 1)
    table = {chr(code): code for code in visible}
    moved = (code for code in range(256) if code not in visible)
    table.update((chr(256 + number), code) for number, code in enumerate(moved))
    return table


_BYTES = _bytes_of_characters()


class ByteSpelling:
    """The bytes of tokens.

    Args:
        spell: Tells how the vocabulary spells a token.
        literal: Tokens that are spelled as they are read: control tokens.
    """

    def __init__(self, spell: Callable[[int], str], literal: frozenset[str]) -> None:
        self._spell = spell
        self._literal = literal
        self._known: dict[int, bytes | None] = {}

    def spans(self, text: str, ids: Sequence[int]) -> list[Span] | None:
        """Return what each token of a text stands for; None where that cannot be told."""
        known = self._known
        tokens = []
        for token_id in ids:
            if token_id not in known:
                known[token_id] = self._bytes(self._spell(token_id))
            if (token := known[token_id]) is None:
                return None
            tokens.append(token)
        return byte_spans(text, tokens)

    def _bytes(self, token: str) -> bytes | None:
        if token in self._literal:
            return token.encode()
        try:
            return bytes([_BYTES[character] for character in token])
        except KeyError:
            return None


def byte_spans(text: str, tokens: Sequence[bytes]) -> list[Span] | None:
    """Return the code points that each token stands for, all of a character that it has a part of.

    Args:
        text: A text without lone surrogates.
        tokens: The bytes of its tokens.

    Returns:
        None when the tokens together are not the text's bytes.
    """
    data = text.encode()
    if b"".join(tokens) != data or not all(tokens):
        return None
    bounds = list(accumulate(map(len, tokens), initial=0))
    if len(data) == len(text):
        return list(pairwise(bounds))
    # Of each byte, how many characters have begun up to there.
    begun = list(accumulate(byte & 0xC0 != 0x80 for byte in data))
    return [(begun[start] - 1, begun[end - 1]) for start, end in pairwise(bounds)]

"""Texts that make tokenizers disagree."""

# ruff: noqa: RUF001 - ambiguous characters are the point.

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

NASTY = [
    "",
    " ",
    "\n",
    "\r\n",
    "\t\t \n \n\n  x",
    "a\u0301\u0323 \u1112\u1161\u11ab \u212b \ufb03 \u1e9b\u0323",
    "<|im_start|>user\n<|im_end|><|endoftext|>",
    "<s></s><unk> <s> </s>\n<unk>",
    "<|begin_of_text|><|eot_id|> <|start_header_id|>x",
    "<|im_ end|> <|IM_END|> <|im_end|",
    "▁▁ ▁a Ġb Ċ <0x0A><0xE2><0x96>",
    "\x00\x01\x1b[0m\x7f\x85\u2028\u2029\ufeff\u200b\u200d\u00ad",
    "\U0010ffff\ufffe\uffff\ufffd\ue000\u0378\U000e0001",
    "👩‍👩‍👧‍👦👍🏽🇫🇷🏴󠁧󠁢󠁥󠁮󠁧󠁿☺️",
    "漢字かな交じり文。中文标点,한국어ㄱㄴ ไทย हिन्दी العَرَبِيَّة עִבְרִית",
    "0123456789 1 22 333 4444 55555 ٣٤٥ १२३ ¹²³ Ⅷ ½ 3.14e-10 1,000,000",
    "I'm you've WE'LL it's don’t 'S 'tis ''' ´s",
    "def f(x_1):\n    return {'a': x_1**2}\n\n\n\nclass A: pass",
    "a" * 3000,
    " " * 3000,
    "\n" * 1000,
    "é" * 1000,
    "漢" * 1000,
    "🤗" * 500,
    "x1_" * 1000,
    "=-" * 1000,
    "word " * 1000 + "\n" + " word" * 500,
    "\r" * 50 + "\n\r" * 50,
]

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz", "ABCDEF", "0123456789", "     ", "\n\n\r\t \v\f", "'’\"`´",
    ".,;:!?-_=+*/\\|<>()[]{}@#$%^&~", "éàüßñøåçİıſ", "абвгдежз", "αβγδ", "漢字中文日本語", "ひらがなカタカナ",
    "한국어조합", "العربية", "עברית", "हिन्दी", "ไทย", "\u0301\u0308\u0323\u0300", "👍🤗🇫🇷👩\u200d\ufe0f🏽",
    "\u200b\u00a0\u3000\u2028\u2029\u0085\ufeff\u00ad", "▁ĠĊ", "\x00\x01\x7f\ufffd\ue000",
)  # fmt: skip
_WORDS = (
    "the", " of", "Hello", "return", "  def ", "://", "'s", "'LL", "ing ", "\n\n", "```python\n",
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<|eot_id|>", "<think>",
    '{"role": "user"}', "1234567", "3.14", "_id", "naïve", "#include <", "\\n", "   ", "<0x0A>",
)  # fmt: skip


def generated(count: int, seed: int) -> Iterator[str]:
    """Yield `count` texts of up to some hundred characters; the same ones for the same seed."""
    source = random.Random(seed)
    for _ in range(count):
        parts: list[str] = []
        for _ in range(source.randrange(1, 14)):
            kind = source.random()
            if kind < 0.45:
                alphabet: Sequence[str] = source.choice(_ALPHABETS)
                parts.append("".join(source.choices(alphabet, k=source.randrange(1, 9))))
            elif kind < 0.85:
                parts.append(source.choice(_WORDS))
            elif kind < 0.92:
                parts.append(source.choice(" \n\ta0é漢") * source.randrange(1, 40))
            else:
                code = source.randrange(0x110000)
                parts.append(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd")
        yield "".join(parts)

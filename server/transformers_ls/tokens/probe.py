"""Texts on which engines that differ at all are likely to differ."""

# ruff: noqa: RUF001 - ambiguous characters are the point of a probe.

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

__all__ = ["probe_texts"]

_SCRIPTS = (
    "The quick brown fox can't, won't, I'LL'VE, don’t. naïve café — “quotes” … 1/2 © ™ ½ №",
    "Größe Straße ÄÖÜ ß, Ελληνικά γράμματα, Русский текст, ещё раз, İstanbul ıI",
    "漢字かな交じり文。中文标点,「引用」 한국어 조합 ㄱㄴㄷ ﾊﾝｶｸ ＦＵＬＬＷＩＤＴＨ １２３",
    "العربية مَعَ الحركات، עברית עִם נִקּוּד, हिन्दी में क्षत्रिय, ไทยไม่มีช่องว่าง, தமிழ், ქართული",
    "e\u0301 a\u030a o\u0308\u0323 \u1e9b\u0323 \ufb01 \u212b \u0344 n\u0303 \u1100\u1161\u11a8 \u0958",
    "👍🏽 👩‍👩‍👧‍👦 🇫🇷🇩🇪 ☺️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 𝒳𝓎 𐍈 𠜎 🫠",
    "zero\u200bwidth\u200cjoin\u200der \ufeff\u2060 \u00ad soft \u202eRTL\u202c \u2028 \u2029 \x85 \u00a0\u3000",
    "\x00\x01\x07\x08\x1b\x7f \v \f \x1c \ufffd \ufffe \uffff \U0010ffff \ue000 \u0378",
    "def f(x_1: int) -> dict[str, Any]:\n\treturn {'a': x_1**2 + 0x1F, \"b\": f'{x:>10}'}  # ok\r\n",
    "https://example.org/a?b=c&d=%20#e user@example.com C:\\dir\\file ../.. $HOME <a href=''>&amp;</a>",
    "0 12 345 6789 10000 1234567890 3.14e-10 1,000,000 ٣٤٥ १२३ ¹²³ Ⅷ 0b1010 '99 2024-01-31T12:00",
    "▁ ▁▁ Ġ Ċ <0x0A> <0xE2> ## ##ing [UNK] <unk> <s> </s> <pad> <|endoftext|> <mask> ▁the",
    "CamelCaseHTTPServer snake_case SCREAMING_CASE kebab-case a.b.c x'y'z 'S 'T 'RE 'M ''' \"\"\" ---",
)
_SPACES = (" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", " \n ", "\u00a0", "\u3000", "\u2028", "\v")
_SEED = 20_250


def probe_texts(special_tokens: Iterable[str]) -> Iterator[str]:
    """Yield about 2 MB of probes, the same ones at each call."""
    yield ""
    yield from _SCRIPTS
    for space in _SPACES:
        for count in (1, 2, 3, 7, 16, 33):
            run = space * count
            yield f"{run}a{run}b{run}"
        yield space
    for unit in ("a", " ", "\n", "=", "-", "ab", "0", "é", "漢", "🤗", "x1_", "!?", "\u0301", "▁"):
        yield unit * 700
    special = list(special_tokens)
    for token in special[:60]:
        yield f"{token}{token} {token}  x{token}y\n{token}\n {token[:-1]} {token.upper()} é{token}é"
    yield "\n".join(_SCRIPTS)
    yield from _characters()
    # A fixed seed: the same tokenizer must get the same verdict on each machine.
    yield from _mixtures(random.Random(_SEED), [*_SCRIPTS, *_SPACES, *special[:300]])  # noqa: S311


def _characters() -> Iterator[str]:
    """Yield every character that a table of Unicode properties may be behind on.

    Engines carry tables of different years; a character that is a letter to one of them only is cut
    off from its neighbours by the other, and normalizers compose what they know. Of the stable
    blocks (Han, Hangul, private use, planes not in use) every 61st will do.
    """
    codes = [
        *range(0x3400),
        *range(0xA000, 0xAC00),
        *range(0xD7A4, 0xD800),
        *range(0xF900, 0x20000),
    ]
    codes += [*range(0x2A6D0, 0x2B740), *range(0x2CE90, 0x2CEB0), *range(0x2EBD0, 0x2F000)]
    codes += [*range(0x2F800, 0x2FB00), *range(0x31340, 0x31360), *range(0x323A0, 0x33500)]
    codes += [code for code in range(0x3400, 0x110000, 61) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(codes), 64):
        yield "".join(
            f"{char}_id 1{char}23 e{char}\u0323\n" for char in map(chr, codes[start : start + 64])
        )


def _mixtures(source: random.Random, pieces: list[str]) -> Iterator[str]:
    for _ in range(300):
        parts = []
        for _ in range(source.randrange(1, 12)):
            kind = source.random()
            if kind < 0.15:
                code = source.choice((source.randrange(0x250), source.randrange(0x110000)))
                parts.append("?" if 0xD800 <= code < 0xE000 else chr(code))
            else:
                piece = source.choice(pieces)
                start = source.randrange(len(piece))
                parts.append(piece[start : start + source.randrange(1, 30)])
        yield "".join(parts)

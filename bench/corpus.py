"""Texts to measure on: what this interpreter's packages carry, and Chinese and Japanese made up."""

from __future__ import annotations

import random
import sysconfig
from functools import cache
from pathlib import Path

_PROSE = ("*.md", "*.rst", "METADATA")
_HAN = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从"
_KANA = "のにはをたがでてとしれさあいうえおかきくけこるらりまもないよ"


@cache
def _files(patterns: tuple[str, ...], size: int) -> str:
    root = Path(sysconfig.get_paths()["purelib"])
    parts: list[str] = []
    left = size
    for path in sorted(path for pattern in patterns for path in root.rglob(pattern)):
        text = path.read_bytes()[:60_000].decode("utf-8", "ignore")
        parts.append(text[:left])
        left -= len(parts[-1])
        if left <= 0:
            break
    text = "\n".join(parts)
    # A small installation has less prose than asked for.
    return (text * (size // max(1, len(text)) + 1))[:size]


def _east_asian(size: int) -> str:
    source = random.Random(1)
    words = ["".join(source.choices(_HAN, k=source.randrange(1, 4))) for _ in range(3_000)]
    words += ["".join(source.choices(_KANA, k=source.randrange(1, 5))) for _ in range(2_000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    parts: list[str] = []
    left = size
    while left > 0:
        parts.append("".join(source.choices(words, weights, k=source.randrange(4, 30))) + "。\n")
        left -= len(parts[-1])
    return "".join(parts)[:size]


def mixed(size: int) -> str:
    """Return about `size` characters: 45 % prose, 45 % Python, 10 % Chinese and Japanese."""
    pieces = [
        _files(_PROSE, size * 45 // 100),
        _files(("*.py",), size * 45 // 100),
        _east_asian(size // 10),
    ]
    # In slices, so that each part of the text has some of everything.
    step = 50
    return "".join(
        piece[len(piece) * part // step : len(piece) * (part + 1) // step]
        for part in range(step)
        for piece in pieces
    )


def markdown(size: int) -> str:
    """Return about `size` characters of one Markdown document: sections of prose with a code fence."""
    section = 4_000
    prose = _files(_PROSE, size).replace("```", "")
    code = _files(("*.py",), size // 2).replace("```", "")
    parts: list[str] = []
    length = 0
    for number in range(size // section + 1):
        text = prose[number * section * 2 // 3 :][: section * 2 // 3]
        fence = code[number * section // 3 :][: section // 3]
        parts.append(f"## Section {number}\n\n{text}\n\n```python\n{fence}\n```\n\n")
        length += len(parts[-1])
        if length >= size:
            break
    return "".join(parts)

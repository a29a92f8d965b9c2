"""Regions of TOML: strings that read as prompts, as `tomllib` resolves them."""

from __future__ import annotations

import re
import tomllib

from transformers_ls.text.regions.model import Region
from transformers_ls.text.regions.prompts import reads_as_prompt

__all__ = ["find"]

# A string that is not closed ends with its line, or with the text.
_TOKEN = re.compile(
    r'''\#[^\r\n]*+
    |(?P<text>"""(?:[^\\"]|\\.|"(?!""))*+(?:"{3,5}|\Z)|\'{3}(?:[^']|'(?!''))*+(?:'{3,5}|\Z))
    |(?P<string>"(?:[^"\\\r\n]|\\.)*+"?|'[^'\r\n]*+'?)
    |(?P<word>[A-Za-z0-9_-]++)
    |(?P<mark>[=,\[\]{}]|\r?\n)''',
    re.VERBOSE | re.DOTALL,
)


def find(text: str) -> list[Region]:
    """Return the strings of a TOML text that read as prompts."""
    regions: list[Region] = []
    name = label = ""
    is_value = False
    # Inside of an array, line ends and commas end no value; inside of an inline table, commas do.
    brackets: list[str] = []
    for match in _TOKEN.finditer(text):
        mark = match["mark"]
        literal = match["text"] or match["string"]
        if literal and is_value:
            region = _value(match.start(), literal, label, block=match["text"] is not None)
            if region is not None:
                regions.append(region)
        elif literal:
            name = literal.strip("\"'")
        elif match["word"] and not is_value:
            name = match["word"]
        elif mark == "=":
            label, is_value = name, True
        elif mark in {"[", "{"} and is_value:
            brackets.append(mark)
            is_value = mark == "["
        elif mark in {"]", "}"} and brackets:
            brackets.pop()
            is_value = bool(brackets) and brackets[-1] == "["
        elif (mark == "," and brackets[-1:] == ["{"]) or (mark and mark.isspace() and not brackets):
            is_value = False
    return regions


def _value(start: int, literal: str, label: str, *, block: bool) -> Region | None:
    exact = True
    try:
        text = str(tomllib.loads(f"x = {literal}")["x"])
    except tomllib.TOMLDecodeError:
        exact = False
        text = literal.strip(literal[0])
    if not reads_as_prompt(text, block=block):
        return None
    end = start + len(literal)
    return Region("value", start, end, label, text, exact, anchor=end)

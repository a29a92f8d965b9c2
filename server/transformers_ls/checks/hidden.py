"""Characters that nobody sees and every tokenizer reads.

Those that writing needs are left alone: joiners in emoji and in Arabic, Persian and Indic words,
word separators in Thai and Khmer, direction marks in lines with right-to-left letters, variation
selectors behind the character they choose a form of, flags spelled in tags.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from transformers_ls.text.leaf_notes import Look, noted_in
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Hidden", "find_hidden", "hidden_message"]

_HIDDEN = (
    "\x00-\x08\x0e-\x1f\x7f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef"
)
_BLANKS = "\u00a0\u2007\u202f"
_RUN = re.compile(f"[{_HIDDEN}]+|[{_BLANKS}]+")
_LINE = 1_000
"""How much of a line, on each side, tells how it is read."""

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
# Arabic, Syriac, Thaana, N'Ko; Indic scripts; Tibetan to Mongolian; Arabic forms; later Indic ones.
_JOINING = re.compile(
    "[\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff"
    "\ufb50-\ufdff\ufe70-\ufefc\U00011000-\U00011fff\U0001e900-\U0001e95f]"
)
# Thai, Lao, Tibetan, Myanmar, Khmer, Tai Tham, Javanese and their like write no spaces.
_UNSPACED = re.compile("[\u0e00-\u109f\u1780-\u17ff\u1950-\u1aaf\ua9e0-\ua9ff\uaa60-\uaa7f]")
_EMOJI = re.compile(
    "[#*0-9\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001fbff]"
)
_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_JAMO = re.compile("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
_BLACK_FLAG, _END_OF_TAGS = "\U0001f3f4", "\U000e007f"
_OVERRIDES = "\u202d\u202e"
_DIRECTION = "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"


@dataclass(frozen=True, slots=True)
class Hidden:
    """A run of hidden characters, in code points."""

    start: int
    end: int
    text: str
    severity: str
    """`warning` where such characters have been used to deceive, else `information`."""

    @property
    def is_blank(self) -> bool:
        """True for blanks that only look like spaces."""
        return self.text[0] in _BLANKS


def find_hidden(snapshot: Snapshot) -> Iterator[Hidden]:
    """Yield the runs of hidden characters of a text, in order."""
    start, run = 0, ""
    for noted in noted_in(snapshot, _RUNS):
        for first, part in noted.found:
            # A run may go on in the next leaf.
            if run and start + len(run) == noted.start + first and _alike(run, part):
                run += part
                continue
            yield from _judge(snapshot, start, run)
            start, run = noted.start + first, part
    yield from _judge(snapshot, start, run)


def _runs(text: str) -> list[tuple[int, str]]:
    return [(match.start(), match[0]) for match in _RUN.finditer(text)]


_RUNS = Look("hidden characters", _runs)


def _alike(run: str, other: str) -> bool:
    return (run[0] in _BLANKS) == (other[0] in _BLANKS)


def _judge(snapshot: Snapshot, start: int, run: str) -> Iterator[Hidden]:
    """Yield what is found to be wrong with a run; nothing for one that writing needs."""
    end = start + len(run)
    if start == 0 and run.startswith("\ufeff"):
        # The mark that says how a file is encoded.
        start, run = 1, run[1:]
    before, after = snapshot.slice(start - 1, start), snapshot.slice(end, end + 1)
    if run and run[0] in _BLANKS:
        if len(run) > 1:
            yield Hidden(start, end, run, "information")
        return
    if not run or _is_legitimate(run, before, after):
        return
    if all(char in _DIRECTION for char in run) and _in_right_to_left_line(snapshot, start, end):
        return
    yield Hidden(start, end, run, "warning" if _deceives(run) else "information")


def _is_legitimate(run: str, before: str, after: str) -> bool:
    """Tell whether writing needs these characters between those two."""
    body = run
    if _is_selector(body[0]) and _may_choose(body[0], before):
        body = body[1:]
    if not body:
        return True
    if body == "\u200d" and _EMOJI.match(before or ".") and _EMOJI.match(after or "."):
        return True
    if before == _BLACK_FLAG and body[-1] == _END_OF_TAGS:
        return len(body) <= 7 and all("\U000e0030" <= char <= _END_OF_TAGS for char in body)
    neighbours = (before, after)
    if body in ("\u200c", "\u200d", "\u200d\u200c", "\u200c\u200d", "\u034f"):
        return any(_JOINING.match(char or ".") for char in neighbours)
    if body in ("\u200b", "\u2060"):
        return any(_UNSPACED.match(char or ".") for char in neighbours)
    if body in ("\u115f", "\u1160"):
        return any(_JAMO.match(char or ".") for char in neighbours)
    return False


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _may_choose(selector: str, before: str) -> bool:
    """Tell whether a selector chooses a form of the character before it."""
    if selector in "\ufe0e\ufe0f" and _EMOJI.match(before or "."):
        return True
    if not before or before.isspace() or before.isascii():
        return False
    return selector < "\U000e0100" or _IDEOGRAPH.match(before) is not None


def _in_right_to_left_line(snapshot: Snapshot, start: int, end: int) -> bool:
    before = snapshot.slice(start - _LINE, start).rpartition("\n")[2]
    after = snapshot.slice(end, end + _LINE).partition("\n")[0]
    return _RIGHT_TO_LEFT.search(before + after) is not None


def _deceives(run: str) -> bool:
    selectors = sum(map(_is_selector, run))
    return (
        selectors > 1
        or any(char in _OVERRIDES for char in run)
        or any("\U000e0000" <= char <= _END_OF_TAGS for char in run)
    )


def hidden_message(hidden: Hidden) -> str:
    """Say which characters a run is made of, and what they spell where they spell something."""
    kinds = dict.fromkeys(hidden.text)
    first = f"U+{ord(hidden.text[0]):04X} {_name(hidden.text[0])}"
    count = len(hidden.text)
    if count == 1:
        return first
    said = f"{count} × {first}" if len(kinds) == 1 else f"{first} and {count - 1} more"
    spelled = _spelled(hidden.text)
    return f"{said}, which spell {spelled!r}" if spelled else said


def _name(char: str) -> str:
    # Control characters have no name of their own.
    return unicodedata.name(char, "control character")


def _spelled(run: str) -> str:
    """Return the text that tags or variation selectors carry; models read it, people do not."""
    tags = "".join(chr(ord(char) - 0xE0000) for char in run if "\U000e0020" <= char <= "\U000e007e")
    if tags:
        return tags[:80]
    data = bytes(
        ord(char) - 0xFE00 if char <= "\ufe0f" else ord(char) - 0xE0100 + 16
        for char in run
        if _is_selector(char)
    )
    text = data.decode("utf-8", "ignore")
    return text[:80] if len(text) > 1 and text.isprintable() else ""

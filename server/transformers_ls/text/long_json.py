r"""Reads long JSON bit by bit, in a thread beside the event loop.

`json.loads` never lets other threads in: a document of 10 MB that is opened would hold up all that
is going on for 50 ms. Nearly all of a long message is one string, or a few, which are decoded in
slices here. To join these is one step again, of tens of milliseconds: who can, takes the pieces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

__all__ = ["LONG", "filled", "read_in_pieces", "read_json"]

LONG = 1 << 18
"""Bytes, for which `json.loads` takes about a millisecond. Less is not worth the way to a thread."""
_SLICE = 1 << 16
_ESCAPE = 6
r"""The most bytes of an escape sequence: that of `\u0041`."""
# Quotes after one backslash are passed over by the search itself: a document may be full of them.
_QUOTE = re.compile(rb'"(?:(?<=[^\\]")|(?<=\\\\"))')
# What stands for a long string meanwhile; no text of anybody's has it.
_NAME = f"{uuid4().hex}-"


def read_json(body: bytes | bytearray, slice_bytes: int = _SLICE) -> Any:
    """Return what `json.loads` returns.

    Args:
        body: JSON in UTF-8.
        slice_bytes: How much of a string is decoded at once.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deeply.
    """
    return filled(*read_in_pieces(body, slice_bytes))


def read_in_pieces(
    body: bytes | bytearray, slice_bytes: int = _SLICE
) -> tuple[Any, dict[str, list[str]]]:
    """Return what `json.loads` returns, but with names for long strings, and the pieces of these.

    See `read_json`; `filled` puts the strings where their names stand.
    """
    rest: list[bytes | bytearray] = []
    strings: dict[str, list[str]] = {}
    done = 0
    for start, end in _strings(body, slice_bytes):
        if end - start > slice_bytes:
            name = f"{_NAME}{len(strings)}"
            strings[name] = [*_decoded(body, start, end, slice_bytes)]
            rest += (body[done:start], name.encode())
            done = end
    rest.append(body[done:])
    return json.loads(b"".join(rest)), strings


def filled(value: Any, strings: Mapping[str, Iterable[str]]) -> Any:
    """Return a value with the long strings where their names stand."""
    joined = {name: "".join(pieces) for name, pieces in strings.items()}
    return _filled(value, joined) if joined else value


def _strings(body: bytes | bytearray, slice_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield what stands between the quotes of each string; what is cut off is left to `json`."""
    at = 0
    while (start := body.find(b'"', at) + 1) > 0:
        end = _end(body, start, slice_bytes)
        if end < 0:
            return
        yield start, end
        at = end + 1


def _end(body: bytes | bytearray, start: int, slice_bytes: int) -> int:
    """Return where the quote stands that ends a string; -1 when there is none."""
    while start < len(body):
        stop = start + slice_bytes
        for quote in _QUOTE.finditer(body, start, stop):
            if _backslashes(body, quote.start()) % 2 == 0:
                return quote.start()
        start = stop
    return -1


def _backslashes(body: bytes | bytearray, end: int) -> int:
    """Return how many backslashes stand before a place; an odd number escapes what is there."""
    start = end
    while start and body[start - 1 : start] == b"\\":
        start -= 1
    return end - start


def _decoded(body: bytes | bytearray, start: int, end: int, slice_bytes: int) -> Iterator[str]:
    while start < end:
        stop = _cut(body, min(start + slice_bytes, end), end)
        text = body[start:stop].decode("utf-8", "surrogatepass")
        part: str = json.loads(f'"{text}"')
        yield part
        start = stop


def _cut(body: bytes | bytearray, near: int, end: int) -> int:
    """Return a place soon after another one that is inside no character and no escape sequence."""
    escape = body.find(b"\\", near, min(near + 2 * _ESCAPE, end))
    if escape < 0:
        # What began before has ended; if it was the first half of a pair, the second would be here.
        cut = min(near + 2 * _ESCAPE, end)
        while cut < end and body[cut] & 0xC0 == 0x80:
            cut += 1
        return cut
    if _backslashes(body, escape) % 2:
        return escape + 1
    code = body[escape + 2 : escape + _ESCAPE].lower()
    second_half = body[escape + 1 : escape + 2] == b"u" and b"dc00" <= code <= b"dfff"
    return min(escape + _ESCAPE, end) if second_half else escape


def _filled(value: Any, strings: Mapping[str, str]) -> Any:
    match value:
        case str():
            return strings.get(value, value)
        case dict():
            return {_filled(key, strings): _filled(item, strings) for key, item in value.items()}
        case list():
            return [_filled(item, strings) for item in value]
    return value

"""The frames between the front and the rendering process: a length, then JSON.

Stdlib only: both sides import it. Strings may hold lone surrogates (JSON can), so UTF-8 is written
with `surrogatepass`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any, Final

__all__ = ["HEADER_BYTES", "decode", "encode", "length_of", "request_steps"]

_HEADER: Final = struct.Struct(">I")
HEADER_BYTES: Final = _HEADER.size
_GROUP: Final = 1 << 16
_SMALL: Final = 64
"""Code points, and what a message counts for at least."""
_BYTES_AT_A_COST: Final = 8
"""Writing so many bytes of JSON takes as long as parsing one character."""


def encode(value: Any) -> bytes:
    """Turn a JSON value into a frame."""
    payload = _json(value)
    return _HEADER.pack(len(payload)) + payload


def request_steps(
    shared: Mapping[str, Any], jobs: Iterable[Mapping[str, Any]]
) -> Generator[int, None, bytes]:
    """Turn what is asked into a frame, some messages at a time, in steps as in `text/steps.py`.

    Args:
        shared: What all jobs have in common; not empty.
        jobs: What to do; each has `messages`, and more.
    """
    pieces = [_json(shared)[:-1], b',"jobs":[']
    for number, job in enumerate(jobs):
        rest = _json({name: value for name, value in job.items() if name != "messages"})
        pieces += (b"," * bool(number), rest[:-1], b',"messages":[')
        for index, messages in enumerate(_groups(job["messages"])):
            pieces += (b"," * bool(index), _json(messages)[1:-1])
            yield len(pieces[-1]) // _BYTES_AT_A_COST
        pieces.append(b"]}")
    pieces.append(b"]}")
    payload = b"".join(pieces)
    return _HEADER.pack(len(payload)) + payload


def _groups(messages: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield messages, as many at a time as take some tenths of a millisecond to write."""
    group: list[Any] = []
    size = 0
    for message in messages:
        group.append(message)
        texts = message.values() if isinstance(message, Mapping) else ()
        size += _SMALL + sum(len(text) for text in texts if isinstance(text, str))
        if size >= _GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def length_of(header: bytes) -> int:
    """Return how many bytes follow a header."""
    (length,) = _HEADER.unpack(header)
    return int(length)


def _json(value: Any) -> bytes:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return body.encode("utf-8", "surrogatepass")


def decode(payload: bytes) -> Any:
    """Read what follows a header."""
    return json.loads(payload.decode("utf-8", "surrogatepass"))

"""The frames between the front and the rendering process: a length, then JSON.

Stdlib only: both sides import it. Strings may hold lone surrogates (JSON can), so UTF-8 is written
with `surrogatepass`.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Final

__all__ = ["HEADER_BYTES", "decode", "encode", "length_of"]

_HEADER: Final = struct.Struct(">I")
HEADER_BYTES: Final = _HEADER.size


def encode(value: Any) -> bytes:
    """Turn a JSON value into a frame."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    payload = body.encode("utf-8", "surrogatepass")
    return _HEADER.pack(len(payload)) + payload


def length_of(header: bytes) -> int:
    """Return how many bytes follow a header."""
    (length,) = _HEADER.unpack(header)
    return int(length)


def decode(payload: bytes) -> Any:
    """Read what follows a header."""
    return json.loads(payload.decode("utf-8", "surrogatepass"))

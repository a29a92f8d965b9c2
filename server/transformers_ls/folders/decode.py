"""The text of a file, or why it has none."""

from __future__ import annotations

import codecs
import os

from transformers_ls.folders.walk import Found, Kind, Skipped

__all__ = ["MAX_BYTES", "NotTextError", "decode", "read"]

MAX_BYTES = 100_000_000
"""Larger files are not counted: a text takes up to four bytes a character in memory, its tokens
some more."""

# As git and ripgrep look for it; text in UTF-16, which holds zeros too, begins with its mark.
_BINARY_BYTES = 8192
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # The mark of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotTextError(Exception):
    """Bytes that are no text."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Kind = kind
        self.reason = reason


def decode(data: bytes) -> str:
    """Return the text of a file, with its line ends as they are.

    UTF-8, and UTF-16 and UTF-32 when they say so by their mark.

    Raises:
        NotTextError: It is binary, or in another encoding.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in data[:_BINARY_BYTES]:
        raise NotTextError("binary", "is binary")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise NotTextError("encoding", f"is not {name} text (byte {error.start:,})") from None


def read(found: Found, max_bytes: int = MAX_BYTES) -> str | Skipped:
    """Read a file that was found, or say why it cannot be counted."""
    try:
        if found.size <= max_bytes:
            data = found.data
            if data is None:
                data = _read(found.path, found.size, max_bytes)
            if len(data) <= max_bytes:
                return decode(data)
        reason = f"is larger than {max_bytes / 1e6:,g} MB"
        return Skipped(found.shown, "too-large", reason)
    except NotTextError as error:
        return Skipped(found.shown, error.kind, error.reason)
    except OSError as error:
        return Skipped(found.shown, "unreadable", f"cannot be read: {error.strerror}")
    except MemoryError:
        return Skipped(found.shown, "too-large", "needs more memory than there is")


def _read(path: str, size: int, max_bytes: int) -> bytes:
    """Read a file; one byte more than the limit when it has grown so far since it was found.

    Five times as fast on small files as an object of `open`, and those are what folders are full of.
    """
    # Without O_BINARY, Windows would change line ends.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        parts = [os.read(descriptor, size + 1)]
        room = max_bytes + 1 - len(parts[0])
        # One call reads a file whole, unless it grew; a pipe has no size and comes in pieces.
        while parts[-1] and room > 0 and len(parts[0]) != size:
            parts.append(os.read(descriptor, min(room, 1 << 20)))
            room -= len(parts[-1])
    finally:
        os.close(descriptor)
    return parts[0] if len(parts) == 1 else b"".join(parts)

"""The frames between the front and a counting process: a header, then bytes.

A text goes as UTF-8 with lone surrogates let through, numbers as the machine writes them: both ends
run on the same one. Standard library only.
"""

from __future__ import annotations

import os
import select
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import BinaryIO

__all__ = [
    "RANGE",
    "SHORT",
    "Frames",
    "Kind",
    "frame_bytes",
    "pack_bytes",
    "pack_texts",
    "read_frame",
    "read_frames",
    "text_bytes",
    "unpack_texts",
    "unpack_views",
    "write_bytes",
    "write_frame",
    "write_some",
]

RANGE = struct.Struct("=QQQ")
"""What stands before the text of a `PIECES` frame: start, end, and how many at most."""

SHORT = 1 << 31
"""Requests with a number from here on are answered through a pipe of their own (`short_answers`)."""

_HEADER = struct.Struct("=IBQ")
_SLICE = 262_144
"""Code points that are encoded at once: longer ones would hold the interpreter's lock for long."""
_GATHER = 1 << 16
_LARGEST = 1 << 40
_READ = 1 << 20


class Kind(IntEnum):
    """What a frame asks or says."""

    COUNT = 1
    ENCODE = 2
    """Ids and offsets of a whole text."""
    PIECES = 3
    """The tokens of a range of a text, up to so many."""
    DONE = 4
    FAILED = 5


def text_bytes(text: str) -> Iterator[bytes]:
    """Yield the bytes of a text."""
    if len(text) <= _SLICE:
        yield text.encode("utf-8", "surrogatepass")
        return
    for start in range(0, len(text), _SLICE):
        yield text[start : start + _SLICE].encode("utf-8", "surrogatepass")


def pack_texts(texts: Sequence[str]) -> list[bytes]:
    """Return the body of a frame that holds texts, in pieces."""
    sizes, pieces = array("Q", [len(texts)]), []
    for text in texts:
        size = 0
        for piece in text_bytes(text):
            size += len(piece)
            pieces.append(piece)
        sizes.append(size)
    return [sizes.tobytes(), *pieces]


def pack_bytes(texts: Sequence[bytes]) -> list[bytes]:
    """Return the body of a frame that holds texts which are bytes already, in pieces."""
    return [array("Q", [len(texts), *map(len, texts)]).tobytes(), *texts]


def unpack_texts(body: bytes) -> list[str]:
    """Return the texts of a frame's body."""
    return [str(view, "utf-8", "surrogatepass") for view in unpack_views(body)]


def unpack_views(body: bytes) -> Iterator[memoryview]:
    """Yield the bytes of each text of a frame's body."""
    view = memoryview(body)
    (count,) = struct.unpack_from("=Q", body)
    at = 8 * (count + 1)
    for size in view[8:at].cast("Q"):
        yield view[at : at + size]
        at += size


def write_frame(pipe: int, number: int, kind: Kind, body: Iterable[bytes]) -> None:
    """Write a frame to a file descriptor, whole.

    Raises:
        OSError: The other end is gone.
    """
    pieces = [*body]
    waiting = [_HEADER.pack(number, kind, sum(map(len, pieces)))]
    size = 0
    # Small pieces in one call: a system call for each text of a batch would cost more than it.
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _GATHER:
            write_bytes(pipe, memoryview(b"".join(waiting)))
            waiting, size = [], 0
    write_bytes(pipe, memoryview(b"".join(waiting)))


def frame_bytes(number: int, kind: Kind, body: Sequence[bytes]) -> bytes:
    """Return a short frame."""
    return b"".join((_HEADER.pack(number, kind, sum(map(len, body))), *body))


def write_bytes(pipe: int, view: memoryview) -> None:
    """Write to a file descriptor until all is written, whether it blocks or not."""
    while view := write_some(pipe, view):
        room = select.poll()
        room.register(pipe, select.POLLOUT)
        room.poll()


def write_some(pipe: int, view: memoryview) -> memoryview:
    """Write to a file descriptor; return what a pipe that does not block had no room for."""
    with suppress(BlockingIOError):
        while view:
            view = view[os.write(pipe, view) :]
    return view


class Frames:
    """Puts frames together from what arrives of them."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, Kind, bytes]]:
        """Return the frames that are complete with this data.

        Raises:
            ValueError: What comes is no frame.
        """
        buffer: bytes | bytearray = data
        # Whole frames, as a rule: they need not be put together.
        if self._buffer:
            self._buffer += data
            buffer = self._buffer
        frames = []
        start = 0
        while len(buffer) - start >= _HEADER.size:
            number, kind, size = _HEADER.unpack_from(buffer, start)
            if size > _LARGEST:
                raise ValueError(size)
            end = start + _HEADER.size + size
            if end > len(buffer):
                break
            body = bytes(memoryview(buffer)[start + _HEADER.size : end])
            frames.append((number, Kind(kind), body))
            start = end
        if buffer is data:
            self._buffer += data[start:]
        else:
            del self._buffer[:start]
        return frames


def read_frames(pipe: int) -> Iterator[list[tuple[int, Kind, bytes]]]:
    """Yield the frames that are there, as many at once as were written, until the pipe ends.

    Raises:
        ValueError: What comes is no frame.
    """
    arriving = Frames()
    while data := os.read(pipe, _READ):
        if frames := arriving.feed(data):
            yield frames


def read_frame(stream: BinaryIO) -> tuple[int, Kind, bytes] | None:
    """Read a frame; None at the end of the stream, be it in the middle of a frame.

    Raises:
        ValueError: What comes is no frame.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    number, kind, size = _HEADER.unpack(header)
    if size > _LARGEST:
        raise ValueError(size)
    body = stream.read(size)
    return (number, Kind(kind), body) if len(body) == size else None

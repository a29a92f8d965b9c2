"""Frames of the counting processes, however they arrive."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.tokens.frames import (
    Frames,
    Kind,
    frame_bytes,
    pack_texts,
    read_frames,
    unpack_texts,
)

FRAMES = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(Kind), st.binary(max_size=40)), max_size=6
)


@given(FRAMES, st.lists(st.integers(1, 30)))
def test_frames_are_put_together_from_any_parts(
    frames: Sequence[tuple[int, Kind, bytes]], sizes: list[int]
) -> None:
    data = b"".join(frame_bytes(number, kind, [body]) for number, kind, body in frames)
    arriving = Frames()
    found = []
    while data:
        size = sizes.pop() if sizes else len(data)
        found += arriving.feed(data[:size])
        data = data[size:]
    assert found == [*frames]
    assert arriving.feed(b"") == []


def test_what_is_no_frame_is_an_error() -> None:
    with pytest.raises(ValueError, match="99"):
        Frames().feed(frame_bytes(1, Kind.DONE, [b"x"]).replace(b"\x04", b"\x63"))
    with pytest.raises(ValueError, match=str(2**64 - 1)):
        Frames().feed(b"\xff" * 100)


def test_frames_come_as_many_at_once_as_were_written() -> None:
    taken, given_ = os.pipe()
    first = [(1, Kind.COUNT, b"a" * 9), (2, Kind.PIECES, b"")]
    os.write(given_, b"".join(frame_bytes(number, kind, [body]) for number, kind, body in first))
    rows = read_frames(taken)
    assert next(rows) == first
    os.write(given_, b"half a frame")
    os.close(given_)
    assert [*rows] == []
    os.close(taken)


@given(st.lists(st.text()))
def test_texts_are_unpacked_as_they_were(texts: list[str]) -> None:
    assert unpack_texts(b"".join(pack_texts(texts))) == texts

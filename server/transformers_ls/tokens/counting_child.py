"""A counting process: `python -m transformers_ls.tokens.counting_child FILE ENGINE SPELLING PIPE`.

It loads one tokenizer, which holds the interpreter's lock for tenths of a second, and answers the
front's frames. It ends when its standard input does, whatever it is doing then. Short texts are
counted at once, long ones in threads, so that nobody waits for somebody else's 10 MB. Answers to
short requests go to the file descriptor PIPE, all others to standard output.
"""

from __future__ import annotations

import os
import sys
import threading
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transformers_ls.tokens.counter import Counter, plain_text
from transformers_ls.tokens.cuts import NO_CUTS
from transformers_ls.tokens.engines import build_counter, give_back_memory
from transformers_ls.tokens.frames import (
    RANGE,
    SHORT,
    Kind,
    frame_bytes,
    read_frames,
    unpack_texts,
    write_bytes,
    write_frame,
)
from transformers_ls.tokens.limits import limit_memory
from transformers_ls.tokens.pieces import pack_pieces
from transformers_ls.tokens.pipeline import SPELLS_BYTES, Pipeline

__all__ = ["main"]

_SHORT = {Kind.COUNT: 65_536, Kind.PIECES: 2_048}
"""Bytes that are counted, and tokenized by the reference, in about a millisecond, when warm."""
_LONG = 4 * 2**20
"""Bytes that leave so much behind that it is worth giving it back."""
_THREADS = 3
_SWITCH_SECONDS = 0.000_5


def _count(counter: Counter, body: bytes) -> list[bytes]:
    counts = array("Q", counter.count_many(unpack_texts(body)))
    if len(body) > _LONG:
        give_back_memory()
    return [counts.tobytes()]


def _encode(counter: Counter, body: bytes) -> list[bytes]:
    encoding = counter.encode(plain_text(body.decode("utf-8", "surrogatepass")))
    flat = array("I")
    for span in encoding.offsets:
        flat.extend(span)
    return [array("I", encoding.ids).tobytes(), flat.tobytes()]


def _pieces(counter: Counter, body: bytes) -> list[bytes]:
    start, end, most = RANGE.unpack_from(body)
    text = str(memoryview(body)[RANGE.size :], "utf-8", "surrogatepass")
    return pack_pieces(counter.pieces(text, start, end, most))


_WORK: dict[Kind, Callable[[Counter, bytes], list[bytes]]] = {
    Kind.COUNT: _count,
    Kind.ENCODE: _encode,
    Kind.PIECES: _pieces,
}


class _Answers:
    """The way back to the front, for several threads."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def say(self, number: int, kind: Kind, body: list[bytes]) -> None:
        with self._lock:
            write_frame(self._pipe, number, kind, body)

    def say_all(self, frames: list[bytes]) -> None:
        with self._lock:
            write_bytes(self._pipe, memoryview(b"".join(frames)))


def _answer(counter: Counter, kind: Kind, body: bytes) -> tuple[Kind, list[bytes]]:
    """Do one piece of work; a failure is an answer too."""
    try:
        return Kind.DONE, _WORK[kind](counter, body)
    # The libraries raise what they like; the text must not be in the message.
    except Exception as error:  # noqa: BLE001
        return Kind.FAILED, [type(error).__name__.encode()]


def main(arguments: list[str]) -> int:
    """Load, say so, and answer until the front goes away."""
    requests = os.dup(0)
    # The front's event loop reads those of short requests itself.
    answers, short_answers = _Answers(os.dup(1)), _Answers(int(arguments[3]))
    # What libraries print must not mix with the answers.
    os.dup2(2, 1)
    limit_memory()
    # Short texts do not wait long for what is done with the tokens of long ones.
    sys.setswitchinterval(_SWITCH_SECONDS)
    pipeline = Pipeline(
        path=Path(arguments[0]),
        exact=True,
        reason="",
        added_tokens=0,
        special_tokens=frozenset(),
        engine=arguments[1],
        spells_bytes=arguments[2] == SPELLS_BYTES,
        cuts=NO_CUTS,
    )
    # While it loads, a front that goes away must be noticed too: reading is the main thread's work.
    ready = threading.Event()
    counters: list[Counter] = []

    def load() -> None:
        try:
            counters.append(build_counter(pipeline))
        except Exception as error:  # noqa: BLE001
            answers.say(0, Kind.FAILED, [f"{error}"[:300].encode("utf-8", "replace")])
            os._exit(1)
        answers.say(0, Kind.DONE, [])
        ready.set()

    threading.Thread(target=load, daemon=True).start()
    pool = ThreadPoolExecutor(_THREADS, "count")
    # The first text that needs the reference loads it.
    warm = {Kind.COUNT}

    def way(number: int) -> _Answers:
        return short_answers if number >= SHORT else answers

    def answer(number: int, kind: Kind, body: bytes) -> None:
        way(number).say(number, *_answer(counters[0], kind, body))
        warm.add(kind)

    for frames in read_frames(requests):
        ready.wait()
        done: dict[_Answers, list[bytes]] = {}
        for number, kind, body in frames:
            if len(body) <= _SHORT.get(kind, -1) and kind in warm:
                frame = frame_bytes(number, *_answer(counters[0], kind, body))
                done.setdefault(way(number), []).append(frame)
            else:
                pool.submit(answer, number, kind, body)
        for pipe, together in done.items():
            pipe.say_all(together)
    # Threads that still count must not keep it alive.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])

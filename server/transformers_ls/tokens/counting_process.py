"""One counting process, from the front's side: its pipes, its answers, its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from io import BufferedReader
from itertools import count

from transformers_ls.paths import cache_dir
from transformers_ls.tokens.frames import (
    Kind,
    frame_bytes,
    read_frame,
    write_bytes,
    write_frame,
    write_some,
)
from transformers_ls.tokens.pipeline import SPELLS_BYTES, Pipeline
from transformers_ls.tokens.short_answers import ShortAnswer, ShortAnswers

__all__ = ["CountingProcess", "ProcessEndedError", "ProcessFailedError", "Request"]

_SECONDS = 60.0
_SECONDS_A_MEGABYTE = 4.0
"""How long an answer may take: many times what any text takes, but for 100 MB of one letter."""

Request = tuple[Kind, Sequence[bytes]]
_Answer = Future[bytes]


class ProcessEndedError(Exception):
    """The process is gone; it did not answer."""


class ProcessFailedError(Exception):
    """The process answered that it could not do it."""


class CountingProcess:
    """Asks a process that holds one tokenizer; used from any thread, from its start to its end.

    Raises:
        ProcessEndedError: It could not be started, or ended while it loaded.
        ProcessFailedError: It could not load the tokenizer; the message says why.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._ended = False
        loaded = _answer()
        self._waiting: dict[int, _Answer] = {0: loaded}
        folder = cache_dir()
        folder.mkdir(parents=True, exist_ok=True)
        module = "transformers_ls.tokens.counting_child"
        spelling = SPELLS_BYTES if pipeline.spells_bytes else ""
        mine = theirs = -1
        try:
            # On Windows a pipe can neither be passed on like that nor be waited for by a loop.
            if os.name != "nt":
                mine, theirs = os.pipe()
            # -P, and a folder of our own: a `json.py` in the user's project must not be run.
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", module),
                    *(str(pipeline.path), pipeline.engine, spelling, str(theirs)),
                ],
                pass_fds=[theirs] if theirs >= 0 else [],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                # Two heaps of malloc's: with one for each thread, memory is given back late.
                env={**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        except OSError as error:
            if mine >= 0:
                os.close(mine)
            raise ProcessEndedError(error.strerror) from error
        finally:
            if theirs >= 0:
                os.close(theirs)
        self._short = ShortAnswers(mine) if mine >= 0 else None
        # Whoever must not wait then learns that there is no room in it; Windows cannot say so.
        if os.name != "nt":
            os.set_blocking(self._pipe(), False)
        threading.Thread(target=self._read, name="counts", daemon=True).start()
        try:
            loaded.result()
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return None if self._ended else self._process.pid

    def ask(self, kind: Kind, body: Iterable[bytes]) -> bytes:
        """Return the answer to a request; blocks, and so must not be called on the event loop.

        Raises:
            ProcessEndedError: It ended before it answered.
            ProcessFailedError: It could not do it, or not in time; it is then ended.
        """
        pieces = [*body]
        seconds = _SECONDS + _SECONDS_A_MEGABYTE * sum(map(len, pieces)) / 1e6
        number, answer = self._expect()
        try:
            with self._writing:
                write_frame(self._pipe(), number, kind, pieces)
        # Closed by `close`, or by its end: the reader ends all that wait.
        except (OSError, ValueError):
            self._kill()
        try:
            return answer.result(seconds)
        except TimeoutError:
            self._kill()
            raise ProcessFailedError(f"no answer within {seconds:.0f} seconds") from None

    def begin(self, requests: Sequence[Request]) -> list[ShortAnswer]:
        """Send short requests without waiting for anything, on an event loop, always the same one.

        They go in one piece, and are answered in one: waking a process costs more than to count.

        Returns:
            The answers to come; none when somebody else is sending, or the process has ended.
        """
        short = self._short
        if short is None or short.ended or not self._writing.acquire(blocking=False):
            return []
        left = memoryview(b"")
        expected: list[tuple[int, ShortAnswer]] = []
        try:
            expected += [short.expect() for _ in requests]
            frames = [
                frame_bytes(number, *request)
                for (number, _), request in zip(expected, requests, strict=True)
            ]
            left = write_some(self._pipe(), memoryview(b"".join(frames)))
        except (OSError, ValueError):
            self._kill()
        finally:
            if left:
                # The rest of the frame comes before anybody else's.
                threading.Thread(target=self._finish, args=(left,), daemon=True).start()
            else:
                self._writing.release()
        return [answer for _, answer in expected]

    def _pipe(self) -> int:
        """Return where requests go.

        Raises:
            ValueError: It was closed; its number may be another file's now.
        """
        assert self._process.stdin is not None
        return self._process.stdin.fileno()

    def _expect(self) -> tuple[int, _Answer]:
        number, answer = next(self._numbers), _answer()
        with self._lock:
            if self._ended:
                raise ProcessEndedError
            self._waiting[number] = answer
        return number, answer

    def _finish(self, left: memoryview) -> None:
        try:
            write_bytes(self._pipe(), left)
        except OSError:
            self._kill()
        finally:
            self._writing.release()

    def close(self) -> None:
        """End the process; whoever waits for an answer learns that it ended."""
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()

    def _read(self) -> None:
        """Hand answers to those who wait, until the process ends."""
        stream = self._process.stdout
        assert isinstance(stream, BufferedReader)
        # A broken frame means that the two do not understand each other any more.
        with contextlib.suppress(OSError, ValueError):
            while (frame := read_frame(stream)) is not None:
                number, kind, body = frame
                with self._lock:
                    answer = self._waiting.pop(number, None)
                if answer is None:
                    continue
                if kind is Kind.FAILED:
                    reason = body.decode("utf-8", "replace")
                    answer.set_exception(ProcessFailedError(reason))
                else:
                    answer.set_result(body)
        self._kill()
        self._process.wait()
        with self._lock:
            self._ended = True
            waiting = [*self._waiting.values()]
            self._waiting.clear()
        for answer in waiting:
            answer.set_exception(ProcessEndedError())
        # Only when nobody writes: the number of a closed descriptor may soon be another file's.
        with self._writing, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
            stream.close()


def _answer() -> _Answer:
    """Return an answer to come, which cannot be cancelled: it comes, wanted or not."""
    answer: _Answer = Future()
    answer.set_running_or_notify_cancel()
    return answer

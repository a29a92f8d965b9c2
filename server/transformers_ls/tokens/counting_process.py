"""One counting process, from the front's side: its pipes, its answers, its end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from io import BufferedReader
from itertools import count
from queue import Empty, SimpleQueue

from transformers_ls.paths import cache_dir
from transformers_ls.tokens.frames import Kind, read_frame, write_frame
from transformers_ls.tokens.pipeline import Pipeline

__all__ = ["CountingProcess", "ProcessEndedError", "ProcessFailedError"]

_SECONDS = 60.0
_SECONDS_A_MEGABYTE = 4.0
"""How long an answer may take: many times what any text takes, but for 100 MB of one letter."""

_Answer = tuple[Kind, bytes] | None


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
        loaded: SimpleQueue[_Answer] = SimpleQueue()
        self._waiting: dict[int, SimpleQueue[_Answer]] = {0: loaded}
        folder = cache_dir()
        folder.mkdir(parents=True, exist_ok=True)
        module = "transformers_ls.tokens.counting_child"
        try:
            # -P, and a folder of our own: a `json.py` in the user's project must not be run.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(pipeline.path), pipeline.engine],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                # Two heaps of malloc's: with one for each thread, memory is given back late.
                env={**os.environ, "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"},
            )
        except OSError as error:
            raise ProcessEndedError(error.strerror) from error
        threading.Thread(target=self._read, name="counts", daemon=True).start()
        try:
            self._result(loaded.get())
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int | None:
        """The process id while it lives."""
        return None if self._ended else self._process.pid

    def ask(self, kind: Kind, body: Iterable[bytes]) -> bytes:
        """Return the answer to a request; blocks.

        Raises:
            ProcessEndedError: It ended before it answered.
            ProcessFailedError: It could not do it, or not in time; it is then ended.
        """
        pieces = [*body]
        seconds = _SECONDS + _SECONDS_A_MEGABYTE * sum(map(len, pieces)) / 1e6
        answer: SimpleQueue[_Answer] = SimpleQueue()
        number = next(self._numbers)
        with self._lock:
            if self._ended:
                raise ProcessEndedError
            self._waiting[number] = answer
        assert self._process.stdin is not None
        try:
            with self._writing:
                write_frame(self._process.stdin.fileno(), number, kind, pieces)
        # Closed by `close`, or by its end: the reader ends all that wait.
        except (OSError, ValueError):
            self._kill()
        try:
            return self._result(answer.get(timeout=seconds))
        except Empty:
            self._kill()
            raise ProcessFailedError(f"no answer within {seconds:.0f} seconds") from None

    def close(self) -> None:
        """End the process; whoever waits for an answer learns that it ended."""
        self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            self._process.kill()

    def _result(self, answer: _Answer) -> bytes:
        if answer is None:
            raise ProcessEndedError
        kind, body = answer
        if kind is Kind.FAILED:
            raise ProcessFailedError(body.decode("utf-8", "replace"))
        return body

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
                if answer is not None:
                    answer.put((kind, body))
        self._kill()
        self._process.wait()
        with self._lock:
            self._ended = True
            waiting = [*self._waiting.values()]
            self._waiting.clear()
        for answer in waiting:
            answer.put(None)
        # Only when nobody writes: the number of a closed descriptor may soon be another file's.
        with self._writing, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
            stream.close()

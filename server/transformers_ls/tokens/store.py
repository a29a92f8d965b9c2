"""The tokenizers that the server has loaded, is loading, or could not load."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from transformers_ls.errors import TransformersLsError, describe
from transformers_ls.tokens.cache import CountCache
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.remote import load_remote_counter
from transformers_ls.tokens.window import Window, context_window

__all__ = ["Entry", "TokenizerStore"]

_log = logging.getLogger(__name__)

AT_ONCE = 2
"""How many tokenizers load at the same time; each takes a core and some hundred megabytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one configured tokenizer now."""

    model: str
    state: Literal["loading", "ready", "failed"]
    counter: Counter | None = None
    """Set when ready."""
    window: Window = field(default=Window(None, "unknown"))
    folder: Path | None = None
    """Where its files are; set when ready."""
    message: str = ""
    """Why it failed, and what to do about it."""


class TokenizerStore:
    """Loads each tokenizer once, in the background.

    Args:
        resolve: Finds a model's files, in a loader's thread; may take its time, and raises
            `TransformersLsError` when there are none.
        on_change: Called with the new entry whenever a load ends, in the loader's thread.
        load: Makes the counter of these files.
    """

    def __init__(
        self,
        resolve: Callable[[str], Path],
        on_change: Callable[[Entry], None] | None = None,
        load: Callable[[Path], Counter] = load_remote_counter,
    ) -> None:
        self.counts = CountCache()
        self._resolve = resolve
        self._on_change = on_change or (lambda _entry: None)
        self._load = load
        self._lock = threading.Lock()
        self._closed = False
        self._slots = threading.Semaphore(AT_ONCE)
        self._entries: dict[str, Entry] = {}
        self._pending: dict[str, Future[Entry]] = {}
        self._counters: dict[Path, Future[Counter]] = {}

    def get(self, model: str) -> Entry:
        """Return what is known of a tokenizer, and start to load it when nothing is."""
        with self._lock:
            entry = self._entries.get(model)
            if entry is not None:
                return entry
            entry = self._entries[model] = Entry(model, "loading")
            pending: Future[Entry] = Future()
            self._pending[model] = pending
        # A daemon: a conversion of half a minute must not hold up the end of the server.
        threading.Thread(
            target=self._run, args=(model, pending), name=f"tokenizer {model}", daemon=True
        ).start()
        return entry

    async def await_ready(self, model: str, timeout: float) -> Entry:  # noqa: ASYNC109
        """Return the entry once it is loaded or failed, or as it is after `timeout` seconds."""
        entry = self.get(model)
        with self._lock:
            pending = self._pending.get(model)
        if entry.state != "loading" or pending is None:
            return self.get(model)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(pending)), timeout)
        except TimeoutError:
            return self.get(model)

    def wait(self, model: str) -> Entry:
        """Return the entry once it is loaded or failed; blocks."""
        entry = self.get(model)
        with self._lock:
            pending = self._pending.get(model)
        return entry if pending is None else pending.result()

    def entries(self) -> list[Entry]:
        """Return all tokenizers that were asked for, in that order."""
        with self._lock:
            return list(self._entries.values())

    def reload(self) -> None:
        """Forget all that failed or was loaded: the next `get` looks at the files again."""
        with self._lock:
            self._entries = {
                model: entry for model, entry in self._entries.items() if entry.state == "loading"
            }
            self._pending = {model: self._pending[model] for model in self._entries}
            self._counters.clear()
        # The processes of counters end when nobody has these any more.
        self.counts.clear()

    def close(self) -> None:
        """End the processes that count; what is asked of the counters afterwards fails."""
        with self._lock:
            self._closed = True
            counters = [*self._counters.values()]
        # One that still loads is closed by its loader.
        for loaded in counters:
            if loaded.done() and loaded.exception() is None:
                _close(loaded.result())

    def _run(self, model: str, pending: Future[Entry]) -> None:
        with self._slots:
            entry = self._entry(model)
        with self._lock:
            self._entries[model] = entry
        pending.set_result(entry)
        self._on_change(entry)

    def _entry(self, model: str) -> Entry:
        try:
            folder = self._resolve(model)
            counter = self._counter(folder)
            return Entry(model, "ready", counter, context_window(folder), folder)
        except TransformersLsError as error:
            return Entry(model, "failed", message=str(error))
        # Whatever else goes wrong must end in an answer, not in a load that never ends.
        except Exception as error:  # noqa: BLE001
            _log.error("loading a tokenizer failed: %s", describe(error))
            kind = type(error).__name__
            return Entry(model, "failed", message=f"The tokenizer could not be loaded ({kind}).")

    def _counter(self, path: Path) -> Counter:
        """Return the counter of a path; names that lead to the same files share it."""
        key = path.resolve()
        with self._lock:
            loaded = self._counters.get(key)
            mine = loaded is None
            if loaded is None:
                loaded = self._counters[key] = Future()
        if mine:
            try:
                counter = self._load(path)
                with self._lock:
                    closed = self._closed
                if closed:
                    _close(counter)
                loaded.set_result(counter)
            # Those who wait for the same files get the same error.
            except BaseException as error:  # noqa: BLE001
                loaded.set_exception(error)
                with self._lock:
                    self._counters.pop(key, None)
        return loaded.result()


def _close(counter: Counter) -> None:
    # Counters in this process have nothing to end.
    close = getattr(counter, "close", None)
    if close is not None:
        close()

"""How long the server's event loop stands still while a long document is opened, typed into and read.

    python bench/stalls.py [KIND …] [--sizes 1000000] [--keys 20] [--where]

One real server process over stdio for each kind of document and each size. In it, each callback of
the event loop is timed: that is what any other message would have had to wait, collecting garbage and
waiting for the interpreter's lock included, but not the time in which it was ready to run and the
system gave its core to another program (where the system tells that). The columns are the longest
callback in ms of each step; a short document of the same kind was open before, so nothing is imported
any more. Below stand the longest times in which a callback itself computed, and those of the whole
steps. Kinds that are read piece by piece are measured at 10 MB, too.

`--where` tells in which functions the longest ones stood. The thread that watches for that takes the
interpreter's lock itself: the figures are then too high.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import aims
from bench.corpus import markdown, mixed
from bench.editor import Editor
from bench.regions import modules, rows
from tests.support.tokenizer_files import tokenizer_folder

ALLOWED_MS = 5.0
TOLD = 0.002
"""Seconds; shorter callbacks are not written down."""
PART = 1500
"""Characters of a message, or of another string."""


def parts_of(size: int) -> list[str]:
    prose = mixed(size)
    return [prose[start : start + PART] for start in range(0, size, PART)]


def chat(size: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": part} for n, part in enumerate(parts_of(size))]


def as_yaml(size: int) -> str:
    lines = [f"- role: {m['role']}\n  content: {json.dumps(m['content'])}\n" for m in chat(size)]
    return "".join(["messages:\n", *lines])


def as_notebook(size: int) -> str:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": part.splitlines(keepends=True)}
        for part in parts_of(size)
    ]
    return json.dumps(
        {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )


def as_template(size: int) -> str:
    loop = "{% for message in messages %}{{ message.content }}{% endfor %}\n"
    return "".join(part.replace("{", "(").replace("}", ")") + loop for part in parts_of(size))


SIZES = {False: [1_000_000], True: [1_000_000, 10_000_000]}
BY_PIECES = {"markdown", "python", "jsonl", "plaintext"}
TEXTS: dict[str, Callable[[int], str]] = {
    "markdown": markdown,
    "python": modules,
    "jsonl": rows,
    "json": lambda size: json.dumps({"messages": chat(size)}, ensure_ascii=False, indent=1),
    "yaml": as_yaml,
    "toml": lambda size: "".join(
        f"prompt_{n} = {json.dumps(part)}\n" for n, part in enumerate(parts_of(size))
    ),
    "ipynb": as_notebook,
    "jinja": as_template,
    "plaintext": mixed,
}


def stack(frame: FrameType) -> str:
    frames = [f for f in reversed(traceback.extract_stack(frame)) if "asyncio" not in f.filename]
    return " < ".join(f"{Path(f.filename).stem}:{f.lineno}" for f in frames[:7])


def clock_without_a_core() -> Callable[[], float]:
    """Return a clock of the seconds in which this thread was ready to run, and something else ran."""
    try:
        # Documentation/scheduler/sched-stats.rst: time running, time waiting to run, time slices.
        told = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(told, 64, 0).split()[1]) / 1e9


def serve(log: Path, where: bool) -> None:
    """Be the server, with a clock around each callback of its loop."""
    lines = log.open("a", buffering=1)
    without_a_core = clock_without_a_core()
    since = [0.0]
    places: dict[float, str] = {}
    handle: Any = asyncio.events.Handle
    run = handle._run

    def timed(self: Any) -> None:
        without, computed = without_a_core(), time.thread_time()
        start = since[0] = time.perf_counter()
        try:
            run(self)
        finally:
            since[0] = 0.0
            end = time.perf_counter()
            if end - start > TOLD:
                computed = time.thread_time() - computed
                end = max(start, end - without_a_core() + without)
                lines.write(json.dumps([start, end, places.pop(start, ""), computed]) + "\n")

    def watch(thread: int) -> None:
        while True:
            last = time.perf_counter()
            time.sleep(TOLD / 2)
            now = time.perf_counter()
            frames = sys._current_frames()
            start = since[0]
            if start and now - start > TOLD and start not in places:
                places[start] = stack(frames[thread])
            if now - last > ALLOWED_MS / 1e3:
                # Some thread did not let the interpreter go; it is where it did, or soon after.
                others = [stack(f) for t, f in frames.items() if t != threading.get_ident()]
                busy = [
                    s for s in others if not s.startswith(("threading:", "thread:", "selectors:"))
                ]
                lines.write(json.dumps([last, now, "lock: " + " | ".join(busy), 0]) + "\n")

    def collecting(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            since_collecting[0] = time.perf_counter()
        elif (now := time.perf_counter()) - since_collecting[0] > TOLD:
            what = f"lock: garbage collection of generation {about['generation']}"
            lines.write(json.dumps([since_collecting[0], now, what, 0]) + "\n")

    since_collecting = [0.0]
    gc.callbacks.append(collecting)
    handle._run = timed
    if where:
        threading.Thread(target=watch, args=(threading.get_ident(),), daemon=True).start()
    from transformers_ls.cli import main as transformers_ls

    transformers_ls(["serve", "--stdio"])


class Typist:
    """Opens a document, types into its middle and asks for all that an editor shows of it."""

    def __init__(self, editor: Editor, name: str, kind: str, text: str) -> None:
        self._editor = editor
        self._document = {"uri": f"file:///{name}.{kind}"}
        self._line = text.count("\n", 0, len(text) // 2)
        self._opened = {"languageId": kind, "version": 1, "text": text}
        self._version = 1

    def open(self) -> None:
        item = self._document | self._opened
        self._editor.notify("textDocument/didOpen", {"textDocument": item})

    def hover(self) -> Any:
        return self.ask("hover", position={"line": self._line, "character": 0})

    def hints(self) -> Any:
        start = {"line": max(0, self._line - 30), "character": 0}
        return self.ask(
            "inlayHint", range={"start": start, "end": {**start, "line": self._line + 30}}
        )

    def tokens(self) -> Any:
        start = {"line": max(0, self._line - 2_000), "character": 0}
        span = {"start": start, "end": {"line": self._line + 2_000, "character": 0}}
        params = {"textDocument": self._document, "range": span, "limit": 20_000}
        return self._editor.request("transformers/boundaries", params)

    def ask(self, what: str, **more: Any) -> Any:
        return self._editor.request(
            f"textDocument/{what}", {"textDocument": self._document, **more}
        )

    def keys(self, number: int) -> None:
        here = {"line": self._line, "character": 0}
        for _ in range(number):
            self._version += 1
            document = self._document | {"version": self._version}
            change = {"range": {"start": here, "end": here}, "text": "x"}
            params = {"textDocument": document, "contentChanges": [change]}
            self._editor.notify("textDocument/didChange", params)
            self.hover()
            self.hints()

    def warm_up(self) -> None:
        self.open()
        for _ in range(100):
            if (hover := self.hover()) and "…" not in hover["contents"]["value"]:
                break
            time.sleep(0.1)
        self.keys(2)
        self.tokens()
        for what in ("diagnostic", "codeLens"):
            self.ask(what)


def measure(kind: str, size: int, keys: int, where: bool) -> bool:
    text = TEXTS[kind](size)
    settings = {"tokenizers": [str(tokenizer_folder("qwen3"))]}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, __file__, "--serve", str(log), *(["--where"] if where else [])]
        with Editor(command, settings) as editor:
            editor.initialize()
            editor.notify("initialized", {})
            small = Typist(editor, "small", kind, TEXTS[kind](5_000))
            large = Typist(editor, "large", kind, text)
            small.warm_up()

            def opened() -> None:
                large.open()
                small.hover()  # Comes after it.

            steps: dict[str, Callable[[], Any]] = {
                "open": opened,
                "hover": large.hover,
                "hints": large.hints,
                "lenses": lambda: large.ask("codeLens"),
                "problems": lambda: large.ask("diagnostic"),
                "keys": lambda: large.keys(keys),
                "tokens": large.tokens,
                "problems anew": lambda: large.ask("diagnostic"),
            }
            times = {}
            for name, work in steps.items():
                start = time.perf_counter()
                work()
                times[name] = start, time.perf_counter()
        stalls = [json.loads(line) for line in log.read_text().splitlines()]
    # Where a callback waited for another thread, or for garbage to be collected, that tells why.
    locks = [(a, b, place) for a, b, place, _ in stalls if place.startswith("lock: ")]
    locks.sort(key=lambda lock: "garbage" not in lock[2])
    stalls = [
        (a, b, next((p for c, d, p in locks if c < b and d > a), place), computed)
        for a, b, place, computed in stalls
        if not place.startswith("lock: ")
    ]
    worst = {
        name: max(
            ((b - a) * 1e3, place)
            for a, b, place, _ in [*stalls, [0, 0, "", 0]]
            if (a >= start and b <= end) or not b
        )
        for name, (start, end) in times.items()
    }
    computing = [
        max((computed * 1e3 for a, b, _, computed in stalls if a >= start and b <= end), default=0)
        for start, end in times.values()
    ]
    print(f"{kind:>10} {size / 1e6:6.1f} MB", *(f"{ms:8.1f}" for ms, _ in worst.values()))
    print(f"{'computing':>20}", *(f"{ms:8.1f}" for ms in computing))
    print(f"{'took':>20}", *(f"{(b - a) * 1e3:8.0f}" for a, b in times.values()), flush=True)
    if where:
        for name, (ms, place) in worst.items():
            if ms > ALLOWED_MS:
                print(f"    {name} {ms:.1f} ms: {place}")
    longest = max(ms for ms, _ in worst.values())
    what = f"{kind}, {size / 1e6:g} MB"
    met = aims.at_most(f"{what}: computing at once", max(computing), ALLOWED_MS, "ms")
    return aims.at_most(f"{what}: a stall", longest, ALLOWED_MS, "ms") and met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(TEXTS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[])
    parser.add_argument("--keys", type=int, default=20)
    parser.add_argument("--where", action="store_true")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.where)
    print(
        f"{'':>20}     open    hover    hints   lenses problems     keys   tokens    problems anew"
    )
    results = [
        measure(kind, size, options.keys, options.where)
        for kind in options.kinds
        for size in options.sizes or SIZES[kind in BY_PIECES]
    ]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())

"""A key in the middle of a Markdown document, and a hover that counts the document as it then is.

    python bench/keystroke.py [--sizes 100000 1000000 10000000] [--keys 150]

Documents of 100 KB and less get four times as many keys.

Two real server processes over stdio: ours, with one and with three tokenizers, and a pygls server
that does nothing but keep the text in sync as pygls does by default and answer every hover with null.
One sample is the time from sending `didChange` and `textDocument/hover` in one piece to the answer of
the hover; the two servers take turns, key by key, and in being first, since the second one finds the
machine's caches as the first one left them. Every count of ours is compared with a count of the whole
text in this process, the last one of each size with the reference library too.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil

from bench import aims
from bench.corpus import markdown
from bench.editor import MINIMAL_SERVER, OUR_SERVER, Editor, frame
from tests.support.tokenizer_files import tokenizer_folder
from transformers_ls.hub.resolve import resolve
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.tokenizers import load_counter, prepare

URI = "file:///typing.md"
KEYS = "A key, then 42 more: caf\u00e9s close at 9.\n\n- one\n\n    indented `code` \U0001f642 \u4e2d\u6587!\n"
WARM_UP = 5
SHORT = 100_000
"""Characters."""
FURTHER = 0.2
"""How much of the empty server's time each tokenizer after the first may add: one more process counts."""


class Typist:
    """Types the same keys at the same place of the same document into one server."""

    def __init__(self, editor: Editor, text: str) -> None:
        self.editor = editor
        self.text = text
        self._version = 1
        self._line = text[: len(text) // 2].count("\n")
        self._at = text.index("\n", len(text) // 2) + 1
        self._line += 1
        self._column = 0
        item = {"uri": URI, "languageId": "markdown", "version": 1, "text": text}
        editor.notify("textDocument/didOpen", {"textDocument": item})

    @property
    def position(self) -> dict[str, int]:
        return {"line": self._line, "character": self._column}

    def hover(self, *before: bytes) -> Any:
        params = {"textDocument": {"uri": URI}, "position": self.position}
        return self.editor.request("textDocument/hover", params, *before)

    def press(self, key: str) -> tuple[float, Any]:
        """Type a character and hover there; return the seconds it took, and the hover."""
        self._version += 1
        change = {"range": {"start": self.position, "end": self.position}, "text": key}
        params = {
            "textDocument": {"uri": URI, "version": self._version},
            "contentChanges": [change],
        }
        self.text = self.text[: self._at] + key + self.text[self._at :]
        self._at += 1
        if key == "\n":
            self._line, self._column = self._line + 1, 0
        else:
            self._column += len(key.encode("utf-16-le")) // 2
        changed = frame({"method": "textDocument/didChange", "params": params})
        started = time.perf_counter()
        hover = self.hover(changed)
        return time.perf_counter() - started, hover


def document_counts(hover: Any) -> list[int]:
    """Return the numbers of the column `document` of a hover's table, one for each tokenizer."""
    rows = [line.split("|") for line in hover["contents"]["value"].splitlines() if line[:1] == "|"]
    column = next(index for index, cell in enumerate(rows[0]) if cell.strip() == "document")
    return [int(re.sub(r"\D", "", row[column])) for row in rows[2:]]


def wait_until_ready(typist: Typist, models: int) -> None:
    for _ in range(1200):
        try:
            if len(document_counts(typist.hover())) == models:
                return
        except (ValueError, TypeError):
            pass  # Still loading: there is no number in the column, or no settings yet.
        time.sleep(0.1)
    raise TimeoutError("the tokenizers did not load")


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def memory_mb(editor: Editor) -> float:
    process = psutil.Process(editor.process.pid)
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 2**20


def measure(models: dict[str, Counter], size: int, keys: int) -> bool:
    """Type into both servers; print a row, and return whether the aim is met and counts are right."""
    text = markdown(size)
    settings = {"tokenizers": list(models)}
    wrong = distinct = 0
    with Editor(OUR_SERVER, settings) as our_editor, Editor(MINIMAL_SERVER) as their_editor:
        for editor in (our_editor, their_editor):
            editor.initialize()
            editor.notify("initialized", {})
        ours, theirs = Typist(our_editor, text), Typist(their_editor, text)
        wait_until_ready(ours, len(models))
        times: tuple[list[float], list[float]] = ([], [])
        last: list[int] = []
        for number, key in enumerate(islice(cycle(KEYS), keys + WARM_UP)):
            if number % 2:
                other, _ = theirs.press(key)
                mine, hover = ours.press(key)
            else:
                mine, hover = ours.press(key)
                other, _ = theirs.press(key)
            if number >= WARM_UP:
                times[0].append(mine)
                times[1].append(other)
            counts = document_counts(hover)
            wrong += counts != [counter.count(ours.text) for counter in models.values()]
            distinct += counts != last
            last = counts
        memory = memory_mb(our_editor)
    median = [statistics.median(values) * 1e3 for values in times]
    worst = [p99(values) * 1e3 for values in times]
    print(
        f"{size / 1e6:5.1f} MB, {len(models)} tokenizer(s): ours {median[0]:8.2f} ms, p99 {worst[0]:8.2f}"
        f" | empty pygls {median[1]:8.2f} ms, p99 {worst[1]:8.2f}"
        f" | {memory:5.0f} MB | {keys + WARM_UP} keys, {distinct} counts",
        flush=True,
    )
    if wrong:
        print(f"WRONG COUNTS after {wrong} keys")
    last_right = last == [reference_count(Path(model), ours.text) for model in models]
    if not last_right:
        print("THE LAST COUNT IS NOT THE REFERENCE'S")
    what = f"a key at {size / 1e6:g} MB with {len(models)} tokenizer(s) against an empty pygls"
    limit = 1.0 + FURTHER * (len(models) - 1)
    met = aims.at_most(f"{what}, median", median[0] / median[1], limit)
    met &= aims.at_most(f"{what}, p99", worst[0] / worst[1], limit)
    return met and not wrong and last_right


def reference_count(folder: Path, text: str) -> int:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(prepare(folder).path))
    tokenizer.no_truncation()
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--keys", type=int, default=150)
    arguments = parser.parse_args()
    folders = [
        tokenizer_folder("qwen3"),
        tokenizer_folder("llama-3.1"),
        resolve("gemma3-270m").folder,
    ]
    counters = {str(folder): load_counter(folder) for folder in folders}
    first = dict(islice(counters.items(), 1))
    met = True
    for models in (first, counters):
        for size in arguments.sizes:
            # One slow key among 150 would be most of a p99; short documents take no time to type in.
            keys = arguments.keys * (4 if size <= SHORT else 1)
            met &= measure(models, size, keys)
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

"""What `transformers-ls count` shows to people: a progress bar, tables, a tree."""

from __future__ import annotations

import sys
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from transformers_ls.folders.report import Report, Sums, statistics

if TYPE_CHECKING:
    from transformers_ls.folders.count import FileCount, Progress
    from transformers_ls.folders.datasets import Dataset

__all__ = ["progress_bar", "show"]

# Another program reads the table: its lines must not be wrapped.
_UNLIMITED = 10_000
# The whole list is in --json.
_SKIPPED_SHOWN = 20
_STATISTICS = ("count", "p50", "p90", "p99", "max", "total")


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Give a function that moves a bar on stderr; silent where nobody looks at it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _progress: None
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Bar(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def move(progress: Progress) -> None:
            said = f"{progress.files:,} files, {progress.done / 1e6:,.1f} MB"
            bar.update(task, completed=progress.done, total=progress.total, description=said)

        yield move


def show(report: Report, *, top: int | None, tree: bool) -> None:
    """Print a report: answers to stdout, what was left out to stderr."""
    console = Console()
    if not console.is_terminal:
        console.width = _UNLIMITED
    if report.counts.files:
        console.print(_tree(report, top) if tree else _files(report, top))
    else:
        print("There is no text to count.", file=sys.stderr)
    for dataset in report.counts.datasets:
        console.print()
        said = _many(dataset.rows, "row")
        if dataset.broken:
            said += f", and {_many(dataset.broken, 'line')} that cannot be read"
        console.print(Text.assemble((_text(dataset.path).plain, "bold"), f": {said}"))
        if dataset.fields:
            console.print(_fields(report, dataset))
    _show_problems(report)


def _text(value: str) -> Text:
    """Return a text of the user's as it is: rich takes brackets for markup, a terminal escapes."""
    return Text("".join(char if char.isprintable() else "\ufffd" for char in value))


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _table(first: str, report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    table.add_column("characters", justify="right")
    for model in report.models:
        table.add_column(_text(model.name), justify="right")
        table.add_column("of window", justify="right", style="dim")
    return table


def _cells(report: Report, characters: int, tokens: Sequence[int]) -> list[str]:
    cells = [f"{characters:,}"]
    for model, number in zip(report.models, tokens, strict=True):
        cells.append(f"{'' if model.exact else '≈'}{number:,}")
        cells.append(f"{100 * number / model.window:.1f} %" if model.window else "—")
    return cells


def _files(report: Report, top: int | None) -> Table:
    table = _table("file", report)
    files = report.largest(top)
    for file in files:
        table.add_row(_text(file.path), *_cells(report, file.characters, file.tokens))
    total = report.total
    if total.files > 1:
        left = total.files - len(files)
        name = f"total of {_many(total.files, 'file')}" + (f" ({left:,} not shown)" if left else "")
        table.add_section()
        table.add_row(name, *_cells(report, total.characters, total.tokens), style="bold")
    return table


def _tree(report: Report, top: int | None) -> Table:
    """Show folders with their sums, the largest first, and in each at most `top` entries."""
    table = _table("folder", report)
    folders = {PurePath(sums.path): sums for sums in report.folders()}
    children: dict[PurePath, list[Sums | FileCount]] = defaultdict(list)
    for path, sums in folders.items():
        if path.parent != path:
            children[path.parent].append(sums)
    for file in report.counts.files:
        children[PurePath(file.path).parent].append(file)
    roots = [_first_fork(sums, children) for path, sums in folders.items() if path.parent == path]
    pending: list[tuple[int, Sums | FileCount | str]] = [(0, sums) for sums in reversed(roots)]
    while pending:
        depth, entry = pending.pop()
        indent = "  " * depth
        if isinstance(entry, str):
            table.add_row(indent + entry, *[""] * (len(table.columns) - 1), style="dim")
            continue
        path = PurePath(entry.path)
        is_folder = isinstance(entry, Sums)
        name = str(path) if depth == 0 else path.name
        table.add_row(
            _text(indent + name + ("/" if is_folder else "")),
            *_cells(report, entry.characters, entry.tokens),
            style="bold" if is_folder else "",
        )
        if is_folder:
            inside = sorted(children[path], key=lambda child: (-child.tokens[0], child.path))
            rest = len(inside) - len(inside[:top])
            more: list[tuple[int, Sums | FileCount | str]] = [
                (depth + 1, child) for child in inside[:top]
            ]
            if rest:
                more.append((depth + 1, f"… {rest:,} more"))
            pending += reversed(more)
    return table


def _first_fork(sums: Sums, children: Mapping[PurePath, Sequence[Sums | FileCount]]) -> Sums:
    """Return the first folder from the top that holds more than one folder."""
    while True:
        inside = children[PurePath(sums.path)]
        if len(inside) != 1 or not isinstance(inside[0], Sums):
            return sums
        sums = inside[0]


def _fields(report: Report, dataset: Dataset) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("field", overflow="fold")
    if len(report.models) > 1:
        table.add_column("model")
    table.add_column("texts", justify="right")
    for name in _STATISTICS[1:]:
        table.add_column(name, justify="right")
    for field, distributions in dataset.fields.items():
        for model, distribution in zip(report.models, distributions, strict=True):
            facts = statistics(distribution)
            names = [_text(field), _text(model.name)][: 2 if len(report.models) > 1 else 1]
            table.add_row(*names, *(f"{facts[name]:,}" for name in _STATISTICS))
    return table


def _show_problems(report: Report) -> None:
    for dataset in report.counts.datasets:
        for broken in dataset.broken_lines:
            print(f"{_text(dataset.path)}:{broken.line}: {broken.reason}", file=sys.stderr)
        left = dataset.broken - len(dataset.broken_lines)
        if left:
            print(f"{_text(dataset.path)}: and {_many(left, 'more line')}", file=sys.stderr)
    skipped = report.counts.skipped
    for item in skipped[:_SKIPPED_SHOWN]:
        print(f"skipped: {_text(item.shown)} {item.reason}", file=sys.stderr)
    if len(skipped) > _SKIPPED_SHOWN:
        kinds = Tally(item.kind for item in skipped)
        told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
        print(f"skipped in all: {told}; --json lists them", file=sys.stderr)

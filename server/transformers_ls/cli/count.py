"""`transformers-ls count`: exact token counts of files."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers_ls.cli._input import DEFAULT_MODEL, read_text
from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.tokens.counter import Counter
    from transformers_ls.tokens.window import Window

__all__ = ["add_arguments", "run"]

# Another program reads the table: its lines must not be wrapped.
_UNLIMITED = 10_000


@dataclass(frozen=True, slots=True)
class _Model:
    name: str
    counter: Counter
    window: Window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `count`."""
    parser.add_argument(
        "paths", nargs="*", default=["-"], metavar="PATH", help="files, or - (stdin)"
    )
    parser.add_argument(
        "-m", "--model", action="append", metavar="MODEL", help="may be given more than once"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Count every file with every model."""
    models = [_load(name) for name in arguments.model or [DEFAULT_MODEL]]
    files = [_count(path, models) for path in arguments.paths]
    if arguments.json:
        json.dump({"files": files}, sys.stdout, indent=2)
        print()
    else:
        _print_table(files, models)
    return 0


def _load(name: str) -> _Model:
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter
    from transformers_ls.tokens.window import context_window

    folder = resolve(name).folder
    return _Model(name, load_counter(folder), context_window(folder))


def _count(path: str, models: list[_Model]) -> dict[str, Any]:
    if path != "-" and Path(path).is_dir():
        raise UsageError(f"{path} is a folder.", "Name the files to count.")
    text = read_text(path)
    return {
        "path": path,
        "characters": len(text),
        "models": {
            model.name: {
                "tokens": model.counter.count(text),
                "window": model.window.tokens,
                "exact": model.counter.exact,
            }
            for model in models
        },
    }


def _print_table(files: list[dict[str, Any]], models: list[_Model]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("file", overflow="fold")
    table.add_column("characters", justify="right")
    for model in models:
        table.add_column(model.name, justify="right")
        table.add_column("of window", justify="right", style="dim")
    for file in files:
        # As Text: a path may hold what rich takes for markup.
        cells = [Text(file["path"]), Text(f"{file['characters']:,}")]
        for model in models:
            counts = file["models"][model.name]
            cells.append(Text(f"{'' if counts['exact'] else '≈'}{counts['tokens']:,}"))
            window = counts["window"]
            cells.append(Text(f"{100 * counts['tokens'] / window:.1f} %" if window else "—"))
        table.add_row(*cells)
    console = Console()
    if not console.is_terminal:
        console.width = _UNLIMITED
    console.print(table)

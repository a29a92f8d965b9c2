"""`transformers-ls count`: exact token counts of files and folders."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from transformers_ls.cli._input import DEFAULT_MODEL
from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.folders.count import Counts
    from transformers_ls.folders.report import Model
    from transformers_ls.folders.walk import Filters, Found, Skipped
    from transformers_ls.tokens.counter import Counter

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `count`."""
    parser.add_argument(
        "paths", nargs="*", default=["-"], metavar="PATH", help="files, folders, or - (stdin)"
    )
    parser.add_argument(
        "-m", "--model", action="append", metavar="MODEL", help="may be given more than once"
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.add_argument("--tree", action="store_true", help="the sums of each folder, as a tree")
    parser.add_argument("--top", type=int, metavar="N", help="show the N largest only")
    group = parser.add_argument_group("folders")
    for name, what in (("include", "only these"), ("exclude", "not these")):
        group.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="GLOB",
            help=f"{what} files, in the notation of .gitignore; may be given more than once",
        )
    group.add_argument("--hidden", action="store_true", help="also names that begin with a dot")
    group.add_argument("--no-ignore", action="store_true", help="also what .gitignore leaves out")
    group.add_argument(
        "--max-size", type=float, default=100, metavar="MB", help="skip larger files (100)"
    )
    group.add_argument(
        "--no-datasets", action="store_true", help="no percentiles of the fields of JSONL files"
    )


def run(arguments: argparse.Namespace) -> int:
    """Count everything with every model; 1 when something that was to be counted could not be."""
    from transformers_ls.cli import _count_output
    from transformers_ls.folders.report import Report

    if arguments.top is not None and arguments.top < 1:
        raise UsageError("--top must be at least 1.")
    if not arguments.max_size > 0:
        raise UsageError("--max-size must be more than 0.")
    found = _find(arguments)
    models, counters = _load(arguments.model or [DEFAULT_MODEL])
    try:
        counts, failed = _count(arguments, found, counters)
    except KeyboardInterrupt:
        print("Stopped: there is no half result.", file=sys.stderr)
        raise
    report = Report(models, counts)
    if arguments.json:
        answer = report.as_json(top=arguments.top, folders=arguments.tree)
        json.dump(answer, sys.stdout, indent=2)
        print()
    else:
        _count_output.show(report, top=arguments.top, tree=arguments.tree)
    return 1 if failed else 0


def _load(names: list[str]) -> tuple[list[Model], list[Counter]]:
    from transformers_ls.folders.report import Model
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter
    from transformers_ls.tokens.window import context_window

    models, counters = [], []
    for name in dict.fromkeys(names):
        found = resolve(name)
        counters.append(load_counter(found.tokenizer))
        models.append(Model(name, context_window(found.folder).tokens, counters[-1].exact))
    return models, counters


def _find(arguments: argparse.Namespace) -> Iterator[Found | Skipped]:
    """Check what was named, then give the files of it, each once; nothing is read yet."""
    filters = _filters(arguments)
    paths = list(dict.fromkeys(arguments.paths))
    for path in paths:
        if path != "-":
            try:
                Path(path).stat()
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
            except ValueError:
                raise UsageError(f"{path!r} is no path.") from None
    return _found(paths, filters)


def _found(paths: list[str], filters: Filters) -> Iterator[Found | Skipped]:
    from transformers_ls.folders.walk import Found, walk

    seen: set[str] = set()
    for path in paths:
        items: Iterable[Found | Skipped]
        if path == "-":
            data = sys.stdin.buffer.read()
            items = [Found(path, path, len(data), data)]
        elif Path(path).is_dir():
            items = walk(Path(path), filters)
        else:
            items = [Found(path, path, Path(path).stat().st_size)]
        for item in items:
            # A folder's files are each found once; those of several paths may be the same ones.
            if len(paths) > 1 and isinstance(item, Found) and path != "-":
                real = str(Path(item.path).resolve())
                if real in seen:
                    continue
                seen.add(real)
            yield item


def _filters(arguments: argparse.Namespace) -> Filters:
    from transformers_ls.folders.ignore import compile_patterns
    from transformers_ls.folders.walk import Filters

    include, exclude = (
        compile_patterns(patterns) for patterns in (arguments.include, arguments.exclude)
    )
    for bad in include[1] + exclude[1]:
        raise UsageError(f"{bad!r} is no pattern.", "Write it as in .gitignore.")
    return Filters(
        include[0] if arguments.include else None,
        exclude[0] if arguments.exclude else None,
        hidden=arguments.hidden,
        ignored=arguments.no_ignore,
    )


def _count(
    arguments: argparse.Namespace, found: Iterator[Found | Skipped], counters: list[Counter]
) -> tuple[Counts, bool]:
    """Count, with a progress bar; say too whether something is missing that was asked for."""
    from transformers_ls.cli._count_output import progress_bar
    from transformers_ls.folders.count import count_files

    with progress_bar() as on_progress:
        counts = count_files(
            found,
            counters,
            on_progress=on_progress,
            max_bytes=int(arguments.max_size * 1e6),
            datasets=not arguments.no_datasets,
        )
    named = set(arguments.paths)
    # A folder may well hold pictures; but what was named, or may not be read, is missing.
    missing = [item for item in counts.skipped if item.shown in named or item.kind == "unreadable"]
    if missing and not counts.files:
        raise UsageError(f"{missing[0].shown} {missing[0].reason}.")
    return counts, bool(missing)

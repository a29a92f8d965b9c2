"""`transformers-ls check`: what goes wrong with chats under a model's template, for CI."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from transformers_ls.chat.problems import Problem
from transformers_ls.cli._input import DEFAULT_MODEL, language_of_path, read_text
from transformers_ls.cli._problems import Found, print_json, print_sarif, print_text
from transformers_ls.cli._template import add_template_argument, template_of
from transformers_ls.errors import TransformersLsError, UsageError

if TYPE_CHECKING:
    from transformers_ls.chat.dataset import DatasetChecker
    from transformers_ls.chat.report import DatasetReport

__all__ = ["add_arguments", "run"]

_LANGUAGES = (
    *("json", "jsonl", "yaml", "python", "prompty", "dotprompt", "markdown", "ipynb", "jinja"),
)
_COMPARED_ROWS = 1_000
_PRINTERS = {"text": print_text, "json": print_json, "sarif": print_sarif}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check`."""
    parser.epilog = "docs/diagnostics.md of the source tells what each code means."
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files of chats, chat templates")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, metavar="MODEL")
    add_template_argument(parser)
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="the longest prompt a chat may make"
    )
    parser.add_argument("--format", choices=[*_PRINTERS], default="text")
    parser.add_argument(
        "--report", action="store_true", help="print lengths and problems in numbers, to stderr"
    )


def run(arguments: argparse.Namespace) -> int:
    """Check every file; 0 when all is well, 1 when there are problems, 2 when it cannot be said."""
    for path in arguments.paths:
        if language_of_path(path) not in _LANGUAGES:
            raise UsageError(
                f"{path} is no file of chats.",
                "Chats are read from .json, .jsonl, .yaml, .py, .prompty, .prompt, .md and .ipynb "
                "files, chat templates from .jinja files.",
            )
    if arguments.max_tokens is not None and arguments.max_tokens < 1:
        raise UsageError("--max-tokens must be at least 1.")
    try:
        found, report = asyncio.run(_check_all(arguments))
    except TransformersLsError as error:
        # CI must be able to tell a missing model from a bad dataset.
        raise UsageError(error.message, error.hint) from None
    _PRINTERS[arguments.format](found, report.as_json())
    if arguments.report:
        _print_report(report)
    problems = f"{len(found):,} problems" if len(found) != 1 else "1 problem"
    print(f"{report.chats:,} chats, {problems if found else 'no problems'}.", file=sys.stderr)
    return 1 if found else 0


async def _check_all(arguments: argparse.Namespace) -> tuple[list[Found], DatasetReport]:
    from transformers_ls.chat.dataset import DatasetChecker
    from transformers_ls.chat.report import DatasetReport
    from transformers_ls.chat.window import TokenLimit, window_limit
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter
    from transformers_ls.tokens.window import context_window

    templates = [path for path in arguments.paths if language_of_path(path) == "jinja"]
    found = [problem for path in templates for problem in _check_template(path)]
    chats = [path for path in arguments.paths if path not in templates]
    if not chats:  # A template is checked by itself: no model is needed.
        return found, DatasetReport(None)
    model = resolve(arguments.model)
    template = template_of(arguments, model.template)
    counter = load_counter(model.tokenizer)
    window = context_window(model.folder).tokens
    limit = TokenLimit(arguments.max_tokens) if arguments.max_tokens else None
    if limit is None and window:
        limit = window_limit(window)

    checkers: dict[str, DatasetChecker] = {}
    report = DatasetReport(limit.tokens if limit else None)
    try:
        for path in chats:
            language = language_of_path(path)
            if language not in checkers:
                checkers[language] = DatasetChecker(
                    template,
                    counter.special_tokens,
                    counter.count_many,
                    limit=limit,
                    language="json" if language == "jsonl" else language,
                    strict=True,
                    compared=_COMPARED_ROWS,
                )
            found += await _check(path, checkers[language], report, by_line=language == "jsonl")
    finally:
        for checker in checkers.values():
            await checker.close()
    return found, report


def _check_template(path: str) -> Iterator[Found]:
    """Return the problems of a chat template; hints are for those who are writing it."""
    from pathlib import Path

    from transformers_ls.chat.template import special_tokens
    from transformers_ls.templates.lint import lint

    text = read_text(path)
    # Without a tokenizer beside it, the template may use the usual special tokens.
    problems = lint(text, special_tokens(Path(path).absolute().parent))
    return _placed(path, text, 0, [one for one in problems if one.severity != "hint"])


async def _check(
    path: str, checker: DatasetChecker, report: DatasetReport, *, by_line: bool
) -> list[Found]:
    """Return the problems of a file, in order."""
    from rich.console import Console
    from rich.progress import Progress

    text = read_text(path)
    rows = text.split("\n") if by_line else [text]
    before = report.lines
    found: list[Found] = []
    with Progress(console=Console(stderr=True), transient=True, disable=len(rows) == 1) as bar:
        task = bar.add_task(path, total=len(rows))
        async for check in checker.check(rows):
            report.add(check)
            found += _placed(path, rows[check.number], check.number, check.problems)
            bar.update(task, completed=check.number)
    if report.lines == before:
        found.append(Found(path, 1, 1, Problem("no-chat", "error", "The file is empty.", 0, 0)))
    return found


def _placed(path: str, row: str, number: int, problems: Sequence[Problem]) -> Iterator[Found]:
    """Turn places in a row into lines and columns; `number` is the line the row begins at."""
    if not problems:
        return
    starts = [0, *(match.end() for match in re.finditer("\n", row))]
    for problem in problems:
        line = bisect_right(starts, problem.start)
        yield Found(path, number + line, problem.start - starts[line - 1] + 1, problem)


def _print_report(report: DatasetReport) -> None:
    values = report.as_json()
    lengths = ", ".join(f"{name} {value:,}" for name, value in values["tokens"].items() if value)
    lines = [f"{report.chats:,} chats in {report.lines:,} rows", f"tokens: {lengths or 'none'}"]
    if report.limit is not None and report.lengths:
        share = report.over_limit / len(report.lengths)
        lines.append(f"over {report.limit:,} tokens: {report.over_limit:,} ({share:.1%})")
    if report.unrendered:
        lines.append(f"without a prompt: {report.unrendered:,}")
    lines += [f"{code}: {number:,}" for code, number in report.problems.most_common()]
    print("\n".join(lines), file=sys.stderr)

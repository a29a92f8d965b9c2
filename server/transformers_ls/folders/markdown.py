"""A report as a Markdown document, for editors."""

from __future__ import annotations

import re
from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from transformers_ls.folders.datasets import Dataset
from transformers_ls.folders.report import Report, Sums, statistics

__all__ = ["as_markdown"]

_FILES_SHOWN = 200
_FOLDERS_SHOWN = 50
_SKIPPED_SHOWN = 50
_STATISTICS = ("count", "p50", "p90", "p99", "max", "total")


def as_markdown(report: Report, title: str, notes: Sequence[str] = ()) -> str:
    """Write a report: totals, the largest folders and files, datasets, and what was left out.

    Args:
        report: The counts; its paths are shown as they are.
        title: The heading.
        notes: Sentences under it.
    """
    total = report.total
    parts = [f"# {_escape(title)}", *map(_escape, notes)]
    rows = [
        (
            _escape(model.name),
            f"{'' if model.exact else '≈'}{tokens:,}",
            f"{model.window:,}" if model.window else "unknown",
            f"{100 * tokens / model.window:.1f} %" if model.window else "—",
        )
        for model, tokens in zip(report.models, total.tokens, strict=True)
    ]
    parts.append(f"{total.files:,} files, {total.characters:,} characters, as they are on disk.")
    parts.append(_table(["tokenizer", "tokens", "context window", "share"], rows))
    folders = sorted(report.folders(), key=lambda sums: (-sums.tokens[0], sums.path))
    # The folder itself holds everything, which was said.
    parts += _places("Folders", report, [sums for sums in folders if sums.path != "."])
    parts += _files(report)
    for dataset in report.counts.datasets:
        parts += _dataset(report, dataset)
    parts += _skipped(report)
    return "\n\n".join(parts) + "\n"


def _places(title: str, report: Report, folders: Sequence[Sums]) -> list[str]:
    if not folders:
        return []
    names = [_escape(model.name) for model in report.models]
    rows = [
        (_escape(f"{sums.path}/"), f"{sums.files:,}", *(f"{number:,}" for number in sums.tokens))
        for sums in folders[:_FOLDERS_SHOWN]
    ]
    return [_heading(title, len(folders), len(rows)), _table(["folder", "files", *names], rows)]


def _files(report: Report) -> list[str]:
    files = report.largest(_FILES_SHOWN)
    if not files:
        return ["There is no text to count."]
    names = [_escape(model.name) for model in report.models]
    rows = [
        (_escape(file.path), f"{file.characters:,}", *(f"{number:,}" for number in file.tokens))
        for file in files
    ]
    heading = _heading("Files", len(report.counts.files), len(rows))
    return [heading, _table(["file", "characters", *names], rows)]


def _dataset(report: Report, dataset: Dataset) -> list[str]:
    rows = []
    for name, distributions in dataset.fields.items():
        for model, distribution in zip(report.models, distributions, strict=True):
            facts = statistics(distribution)
            numbers = (f"{facts[key]:,}" for key in _STATISTICS)
            rows.append((_escape(name), _escape(model.name), *numbers))
    parts = [f"## {_escape(dataset.path)}: {dataset.rows:,} rows"]
    if rows:
        parts.append(_table(["field", "tokenizer", "texts", *_STATISTICS[1:]], rows, left=2))
    if dataset.broken:
        lines = ", ".join(f"{item.line:,} ({item.reason})" for item in dataset.broken_lines)
        more = " …" if dataset.broken > len(dataset.broken_lines) else ""
        parts.append(f"{dataset.broken:,} lines cannot be read: {_escape(lines)}{more}")
    return parts


def _skipped(report: Report) -> list[str]:
    skipped = report.counts.skipped
    if not skipped:
        return []
    kinds = Tally(item.kind for item in skipped)
    told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
    lines = [f"- {_escape(item.shown)} {_escape(item.reason)}" for item in skipped]
    shown = lines[:_SKIPPED_SHOWN]
    return [_heading("Not counted", len(lines), len(shown)), f"{told}.", "\n".join(shown)]


def _heading(title: str, number: int, shown: int) -> str:
    return f"## {title}" + (f" (the largest {shown:,} of {number:,})" if shown < number else "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    marks = [":--" if index < left else "--:" for index in range(len(titles))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (titles, marks, *rows))


def _escape(text: str) -> str:
    """Make a name of the user's harmless in Markdown and in a table cell, on one line."""
    line = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~])", r"\\\1", line)

"""What a count of files comes to: totals, sums of folders, and the fixed JSON shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from transformers_ls.folders.count import Counts, FileCount
from transformers_ls.folders.datasets import Dataset, Distribution

__all__ = ["Model", "Report", "Sums"]

_PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Model:
    """A tokenizer as a report names it."""

    name: str
    window: int | None
    """The model's context window in tokens; None when it is unknown."""
    exact: bool


@dataclass(slots=True)
class Sums:
    """Several files taken together."""

    path: str
    files: int
    characters: int
    tokens: list[int]
    """One number for each model: the sum of the files' counts."""


@dataclass(frozen=True, slots=True)
class Report:
    """The counts of files by some models."""

    models: Sequence[Model]
    counts: Counts

    @property
    def total(self) -> Sums:
        """All files together."""
        return _sum("", self.counts.files, len(self.models))

    def largest(self, top: int | None = None) -> list[FileCount]:
        """Return the files with the most tokens of the first model, the largest first."""
        return sorted(self.counts.files, key=lambda file: (-file.tokens[0], file.path))[:top]

    def folders(self) -> list[Sums]:
        """Return the sums of every folder that holds a counted file at any depth, by path."""
        sums: dict[PurePath, Sums] = {}
        for file in self.counts.files:
            for parent in PurePath(file.path).parents:
                if parent not in sums:
                    sums[parent] = Sums(str(parent), 0, 0, [0] * len(self.models))
                _add(sums[parent], file)
        return [sums[path] for path in sorted(sums)]

    def as_json(self, *, top: int | None = None, folders: bool = False) -> dict[str, Any]:
        """Return the report as `transformers-ls count --json` prints it."""
        total = self.total
        files = self.counts.files if top is None else self.largest(top)
        answer: dict[str, Any] = {
            "files": [
                {
                    "path": file.path,
                    "characters": file.characters,
                    "models": {
                        model.name: {
                            "tokens": tokens,
                            "window": model.window,
                            "exact": model.exact,
                        }
                        for model, tokens in zip(self.models, file.tokens, strict=True)
                    },
                }
                for file in files
            ],
            "total": self._sums_json(total),
            "skipped": [
                {"path": item.shown, "kind": item.kind, "reason": item.reason}
                for item in self.counts.skipped
            ],
            "datasets": [self._dataset_json(dataset) for dataset in self.counts.datasets],
        }
        if folders:
            answer["folders"] = [
                {"path": sums.path, **self._sums_json(sums)} for sums in self.folders()
            ]
        return answer

    def _sums_json(self, sums: Sums) -> dict[str, Any]:
        return {
            "files": sums.files,
            "characters": sums.characters,
            "models": {
                model.name: {"tokens": tokens}
                for model, tokens in zip(self.models, sums.tokens, strict=True)
            },
        }

    def _dataset_json(self, dataset: Dataset) -> dict[str, Any]:
        return {
            "path": dataset.path,
            "rows": dataset.rows,
            "broken": {
                "count": dataset.broken,
                "lines": [
                    {"line": broken.line, "reason": broken.reason}
                    for broken in dataset.broken_lines
                ],
            },
            "fields": {
                name: {
                    model.name: statistics(distribution)
                    for model, distribution in zip(self.models, distributions, strict=True)
                }
                for name, distributions in dataset.fields.items()
            },
        }


def statistics(distribution: Distribution) -> dict[str, int]:
    """Return what is told of a field: how many texts, percentiles, the longest, the total."""
    *percentiles, longest = distribution.percentiles(*_PERCENTILES, 100)
    named = zip((f"p{percent}" for percent in _PERCENTILES), percentiles, strict=True)
    return {
        "count": distribution.count,
        **dict(named),
        "max": longest,
        "total": distribution.total,
    }


def _sum(path: str, files: Iterable[FileCount], models: int) -> Sums:
    sums = Sums(path, 0, 0, [0] * models)
    for file in files:
        _add(sums, file)
    return sums


def _add(sums: Sums, file: FileCount) -> None:
    sums.files += 1
    sums.characters += file.characters
    for index, tokens in enumerate(file.tokens):
        sums.tokens[index] += tokens

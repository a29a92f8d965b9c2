"""A dataset in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from transformers_ls.chat.dataset import LineCheck

__all__ = ["DatasetReport"]


@dataclass(slots=True)
class DatasetReport:
    """A dataset in numbers; lengths are tokens after templating."""

    limit: int | None = None
    lines: int = 0
    lengths: list[int] = field(default_factory=list)
    unrendered: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def add(self, check: LineCheck) -> None:
        """Count a line in."""
        self.lines += 1
        for tokens in check.tokens:
            if tokens is None:
                self.unrendered += 1
            else:
                self.lengths.append(tokens)
        self.problems.update(problem.code for problem in check.problems)

    @property
    def chats(self) -> int:
        """How many chats there are, rendered or not."""
        return len(self.lengths) + self.unrendered

    @property
    def over_limit(self) -> int:
        """How many prompts are longer than the limit."""
        return 0 if self.limit is None else sum(n > self.limit for n in self.lengths)

    def percentile(self, percent: float) -> int | None:
        """Return the length that so many percent of the prompts do not exceed (nearest rank)."""
        if not self.lengths:
            return None
        ordered = sorted(self.lengths)
        rank = max(1, -(-len(ordered) * percent // 100))
        return ordered[int(rank) - 1]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "lines": self.lines,
            "chats": self.chats,
            "unrendered": self.unrendered,
            "tokens": {
                "total": sum(self.lengths),
                "p50": self.percentile(50),
                "p90": self.percentile(90),
                "p99": self.percentile(99),
                "max": max(self.lengths, default=None),
            },
            "limit": self.limit,
            "overLimit": self.over_limit,
            "problems": dict(self.problems.most_common()),
        }

"""What a model found in a text: labels, names, passages, words, each with a score."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.tasks.choose import InferredAs

__all__ = ["Finding", "Findings", "percent"]

_NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    label: str
    """A class of the text or of a place in it, the answer to a question, or a word for a mask."""
    score: float
    """From 0 to 1; of two texts the cosine of their vectors, from -1 to 1."""
    span: tuple[int, int] | None = None
    """Where it stands in the text, in code points; None when it is said of all of it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found in one text, the best or the first first."""

    kind: InferredAs
    text: str
    items: tuple[Finding, ...]

    def quote(self, finding: Finding) -> str:
        """Return the text at a finding's place."""
        start, end = finding.span or (0, 0)
        return self.text[start:end]

    def summary(self) -> str:
        """Say the best of it in one line."""
        if not self.items:
            return "Nothing was found."
        best = self.items[0]
        if self.kind == "sentence-similarity":
            return f"Similarity {best.score:.3f} (1 is the same, 0 is unrelated)"
        if self.kind != "token-classification":
            return f"{_line(best.label)} ({percent(best.score)})"
        named = dict.fromkeys(f"{_line(self.quote(item))} ({item.label})" for item in self.items)
        shown = ", ".join(list(named)[:_NAMED_AT_MOST])
        return f"{len(self.items)} found: {shown}{', …' if len(named) > _NAMED_AT_MOST else ''}"


def percent(score: float) -> str:
    """Write a share of 1 for people."""
    return f"{100 * score:.1f} %"


def _line(text: str) -> str:
    return " ".join(text.split())

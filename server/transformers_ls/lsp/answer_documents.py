"""What a task found or answered, as a Markdown document to read.

Whatever came from a model or from the user's text is escaped: it is data, never markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from transformers_ls.lsp.markdown import escape, untrusted
from transformers_ls.tasks.findings import Finding, Findings, percent
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.runs import Run

__all__ = ["AnswerPage", "markdown"]

_BAR = 20
_PLACES = 5
_NAMES = 500
_AROUND = 80
_SHORT = 200


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """What the document says beside the result itself."""

    title: str
    question: str
    other: str
    """The text that was compared with; empty for all other tasks."""
    line_of: Callable[[int], int]
    """Returns the line of the document, from 1, of an offset in the task's text."""
    notes: Sequence[str] = ()


def markdown(page: AnswerPage, run: Run) -> str:
    """Return the document of a run that has ended."""
    facts = run.facts
    head = [f"# {escape(page.title)}"]
    if page.question:
        head.append(f"> {escape(page.question)}")
    if isinstance(run, InferenceRun):
        assert run.findings is not None
        body = list(_body(run.findings, page))
    else:
        body = [untrusted(run.text)]
    about = f"{facts.model} · {facts.destination} · {facts.seconds:.1f} s"
    notes = [f"*{escape(note)}*" for note in (*page.notes, about)]
    return "\n\n".join((*head, *body, *notes)) + "\n"


def _body(findings: Findings, page: AnswerPage) -> Iterator[str]:
    if not findings.items:
        yield "Nothing was found."
        return
    match findings.kind:
        case "token-classification":
            yield from _names(findings, page.line_of)
        case "question-answering":
            for item in findings.items:
                place = f"line {page.line_of((item.span or (0, 0))[0])}"
                yield f"**{escape(item.label)}** · {percent(item.score)} · {place}"
                yield f"> {_passage(findings, item)}"
        case "fill-mask":
            yield f"> {_passage(findings, findings.items[0])}"
            yield _scores("word", findings.items)
        case "sentence-similarity":
            yield f"**{findings.items[0].score:.3f}** {_bar(findings.items[0].score)}"
            yield "1 is the same meaning, 0 is unrelated (the cosine of the texts' vectors)."
            for text in (findings.text, page.other):
                yield f"> {escape(_shortened(text))}"
        case _:
            yield _scores("label", findings.items)


def _scores(title: str, items: Sequence[Finding]) -> str:
    rows = [f"| {title} | score | |", "| :-- | --: | :-- |"]
    rows += [
        f"| {escape(item.label)} | {percent(item.score)} | {_bar(item.score)} |" for item in items
    ]
    return "\n".join(rows)


def _bar(score: float) -> str:
    full = round(_BAR * min(max(score, 0.0), 1.0))
    return "█" * full + "░" * (_BAR - full)


def _names(findings: Findings, line_of: Callable[[int], int]) -> Iterator[str]:
    """Yield a table for each kind of name, with a name that occurs often in one row."""
    kinds: dict[str, dict[str, list[Finding]]] = {}
    for item in findings.items:
        name = " ".join(findings.quote(item).split())
        kinds.setdefault(item.label, {}).setdefault(name, []).append(item)
    for label, names in kinds.items():
        yield f"## {escape(label)} ({sum(map(len, names.values())):,})"
        rows = ["| name | lines | score |", "| :-- | :-- | --: |"]
        for name, found in list(names.items())[:_NAMES]:
            lines = list(dict.fromkeys(line_of((item.span or (0, 0))[0]) for item in found))
            shown = ", ".join(map(str, lines[:_PLACES])) + (" …" if len(lines) > _PLACES else "")
            best = percent(max(item.score for item in found))
            rows.append(f"| {escape(name)} | {shown} | {best} |")
        yield "\n".join(rows)
        if len(names) > _NAMES:
            yield f"… and {len(names) - _NAMES:,} more."


def _passage(findings: Findings, item: Finding) -> str:
    """Return what stands around a finding, with the finding itself in bold."""
    start, end = item.span or (0, 0)
    text = findings.text
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    head = "…" if start > _AROUND else ""
    tail = "…" if end + _AROUND < len(text) else ""
    return f"{head}{escape(before)}**{escape(findings.quote(item))}**{escape(after)}{tail}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"

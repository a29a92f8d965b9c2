"""The answer of a run that edits nothing: a document to read, and the places it speaks of."""

from __future__ import annotations

from transformers_ls.lsp.answer_documents import AnswerPage, markdown
from transformers_ls.lsp.documents import to_lsp_range
from transformers_ls.lsp.run_messages import HighlightInfo, ResultDocument
from transformers_ls.lsp.selections import Selection
from transformers_ls.tasks.edits import relocate
from transformers_ls.tasks.findings import Finding, Findings, percent
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.runs import Run
from transformers_ls.text.document import Document
from transformers_ls.text.positions import PositionEncoding
from transformers_ls.text.snapshot import Snapshot

__all__ = ["answer"]

_HIGHLIGHTS = 5000


def answer(
    selection: Selection, run: Run, now: Document | None, encoding: PositionEncoding
) -> tuple[ResultDocument, list[HighlightInfo]]:
    """Return the document and the highlights of a run that has ended.

    Blocking: a long selection may hold thousands of names.

    Args:
        selection: What was asked.
        run: What came of it.
        now: The document as it is now; None when it was closed.
        encoding: The client's units of positions.
    """
    before = selection.document.snapshot
    at = relocate(before, now.snapshot, selection.start, selection.text) if now else None
    notes = []
    if now is not None and at is None:
        notes.append("The selection changed during the run; lines are those of before.")
    if run.facts.finish_reason == "length":
        notes.append("The answer was cut (transformers.generation.maxNewTokens).")
    snapshot, start = (before, selection.start) if now is None or at is None else (now.snapshot, at)
    page = AnswerPage(
        selection.title,
        selection.inputs.question,
        selection.inputs.other,
        lambda offset: snapshot.position_at(start + offset, encoding).line + 1,
        notes,
    )
    document = ResultDocument(selection.title, markdown(page, run))
    if at is None or not isinstance(run, InferenceRun) or run.findings is None:
        return document, []
    return document, _highlights(snapshot, start, run.findings, encoding)


def _highlights(
    snapshot: Snapshot, start: int, findings: Findings, encoding: PositionEncoding
) -> list[HighlightInfo]:
    best: dict[tuple[int, int], Finding] = {}
    for item in findings.items:
        # Several words may fill one gap; the first one is the likeliest.
        if item.span is not None:
            best.setdefault(item.span, item)
    highlights = []
    for (first, last), item in list(best.items())[:_HIGHLIGHTS]:
        span = to_lsp_range(snapshot, start + first, start + last, encoding)
        message = f"{item.label} ({percent(item.score)})"
        highlights.append(HighlightInfo(span, item.label, message, round(item.score, 4)))
    return highlights

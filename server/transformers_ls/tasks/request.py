"""What is asked of a run: all that it needs to know, and nothing of where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TypeAlias, cast

from transformers_ls.engines.base import Prompt
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Inputs, Task
from transformers_ls.tasks.choose import ChosenModel, InferredAs, WrittenAs
from transformers_ls.tasks.languages import language_name
from transformers_ls.tasks.masks import Gap, find_gap, mask_token
from transformers_ls.tasks.pieces import without_code
from transformers_ls.tasks.planner import Count
from transformers_ls.tasks.work import Classification, QuestionAnswering, Unit, Writing, ZeroShot

__all__ = ["InferenceRequest", "Request", "WritingRequest", "make_request"]


@dataclass(frozen=True, slots=True)
class WritingRequest:
    """A text that a model is to write about another one."""

    writing: Writing
    text: str
    model: str
    kind: WrittenAs
    target_language: str = ""
    source_language: str = "English"
    """Only asked by models that need to be told."""
    question: str = ""
    max_new_tokens: int = 256
    temperature: float = 0.0
    window: int | None = None
    """The model's context window in tokens; None when it is not known."""
    count: Count | None = None
    """Counts with the model's tokenizer; without it the text is not cut to the window."""

    @property
    def unit(self) -> Unit:
        """How much of the text one prompt holds."""
        writing = self.writing
        if self.kind == "chat":
            return writing.chat_unit
        return writing.base_unit if self.kind == "base" else writing.seq2seq_unit or "text"

    def prompt(self, text: str) -> Prompt:
        """Return what the model is asked about a text."""
        writing = self.writing
        if self.kind == "chat":
            return writing.chat_messages(text, self.target_language, self.question)
        if self.kind == "base":
            return writing.continuation(text, self.target_language, self.question)
        if self.kind == "t5":
            source, target = map(language_name, (self.source_language, self.target_language))
            prefix = writing.t5_prefix.format(
                source=source, language=target, question=self.question
            )
            return prefix + text
        return text


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A text that a model is to say something of."""

    kind: InferredAs
    text: str
    model: str
    labels: tuple[str, ...] = ()
    """What to choose from; empty for a classifier, which has its own."""
    multi_label: bool = False
    hypothesis: str = ""
    question: str = ""
    other: str = ""
    """The text to compare with."""
    gap: Gap | None = None
    """Where a word is missing, for `fill-mask`."""


Request: TypeAlias = WritingRequest | InferenceRequest


def make_request(
    task: Task,
    text: str,
    chosen: ChosenModel,
    *,
    inputs: Inputs,
    settings: Settings,
    language_id: str,
    count: Count | None = None,
) -> Request:
    """Put together what a run needs. May read a file, so it is not for the event loop.

    Args:
        task: What to do.
        text: With which text.
        chosen: The model that does it.
        inputs: What the user said beside the text.
        settings: The user's settings.
        language_id: The LSP language id of the document that the text is from.
        count: Counts with the model's tokenizer, where the text may not fit its window.

    Raises:
        UsageError: The text has no gap to fill, where one is needed.
        ModelError: The model has no mask token, where one is needed.
    """
    work = task.work
    if chosen.kind in ("chat", "base", "seq2seq", "t5"):
        assert isinstance(work, Writing | QuestionAnswering)
        writing = work.writing if isinstance(work, QuestionAnswering) else work
        return WritingRequest(
            writing=writing,
            text=dedent(text) if writing.placement == "docstring" else text,
            model=chosen.name,
            kind=chosen.kind,
            target_language=inputs.language or settings.translation.target_language,
            source_language=settings.translation.source_language,
            question=inputs.question,
            max_new_tokens=settings.generation.max_new_tokens,
            temperature=settings.generation.temperature,
            window=chosen.window,
            count=count,
        )
    kind = cast("InferredAs", chosen.kind)
    if kind == "fill-mask":
        return InferenceRequest(
            kind, text, chosen.name, gap=find_gap(text, mask_token(chosen.folder))
        )
    if kind == "zero-shot-classification":
        assert isinstance(work, Classification | ZeroShot)
        return InferenceRequest(
            kind,
            text,
            chosen.name,
            labels=work.labels or _distinct(inputs.labels),
            multi_label=isinstance(work, ZeroShot) and work.multi_label,
            hypothesis=work.hypothesis,
        )
    if kind == "token-classification" and language_id == "markdown":
        text = without_code(text)
    return InferenceRequest(kind, text, chosen.name, question=inputs.question, other=inputs.other)


def _distinct(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))

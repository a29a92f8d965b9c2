"""What is asked of a run, and what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transformers_ls.engines.base import Prompt
from transformers_ls.tasks.catalogue import Task, Unit
from transformers_ls.tasks.languages import language_name
from transformers_ls.tasks.planner import Count

__all__ = ["AskedAs", "RunFacts", "TaskRequest"]

AskedAs = Literal["chat", "base", "seq2seq", "t5"]
"""How a model is asked: a chat through its template, a text to continue, a text to transform by a
model that does nothing else (BART, Marian), or one that is told what to do by a prefix (T5)."""


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task on a text."""

    task: Task
    text: str
    model: str
    kind: AskedAs
    target_language: str = ""
    source_language: str = "English"
    """Only asked by models that need to be told."""
    max_new_tokens: int = 256
    temperature: float = 0.0
    window: int | None = None
    """The model's context window in tokens; None when it is not known."""
    count: Count | None = None
    """Counts with the model's tokenizer; without it the text is not cut to the window."""

    @property
    def unit(self) -> Unit:
        """How much of the text one prompt holds."""
        task = self.task
        if self.kind == "chat":
            return task.chat_unit
        return task.base_unit if self.kind == "base" else task.seq2seq_unit or "text"

    def prompt(self, text: str) -> Prompt:
        """Return what the model is asked about a text."""
        task = self.task
        if self.kind == "chat":
            return task.chat_messages(text, self.target_language)
        if self.kind == "base":
            return task.continuation(text, self.target_language)
        if self.kind == "t5":
            source, target = map(language_name, (self.source_language, self.target_language))
            return task.t5_prefix.format(source=source, language=target) + text
        return text


@dataclass(slots=True)
class RunFacts:
    """What a run took; times in seconds."""

    model: str
    destination: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    time_to_first_token: float = 0.0
    seconds: float = 0.0
    finish_reason: str = "stop"
    parts: int = 1
    """How many prompts the text took."""
    kept: int = 0
    """How many pieces stayed as they were: the model repeated them, had nothing for them, or had
    lost code, links or placeholders of them."""

    @property
    def tokens_per_second(self) -> float:
        """The decode rate after the first token; 0 when fewer than two tokens came."""
        decoding = self.seconds - self.time_to_first_token
        if self.completion_tokens < 2 or decoding <= 0:
            return 0.0
        return (self.completion_tokens - 1) / decoding

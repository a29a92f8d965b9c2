"""What is asked of a run, and what it took."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.engines.base import Prompt
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.planner import Count

__all__ = ["RunFacts", "TaskRequest"]


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A task on a text."""

    task: Task
    text: str
    model: str
    is_chat: bool
    """True when the model has a chat template, false for a base model."""
    target_language: str = ""
    max_new_tokens: int = 256
    temperature: float = 0.0
    window: int | None = None
    """The model's context window in tokens; None when it is not known."""
    count: Count | None = None
    """Counts with the model's tokenizer; without it the text is not cut to the window."""

    def prompt(self, text: str) -> Prompt:
        """Return what the model is asked about a text."""
        if self.is_chat:
            return self.task.chat_messages(text, self.target_language)
        return self.task.continuation(text, self.target_language)


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

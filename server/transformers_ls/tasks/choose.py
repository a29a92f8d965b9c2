"""Which model does a task, and how it has to be asked."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.errors import ModelError
from transformers_ls.settings import ModelSettings
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.request import AskedAs

__all__ = ["ChosenModel", "choose_model"]


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that can do a task."""

    name: str
    """As the user named it."""
    kind: AskedAs
    """How it is asked: see `TaskRequest`."""
    window: int | None = None
    """Its context window in tokens; None when its files do not say."""

    def may_fill(self, text: str) -> bool:
        """Tell, without counting, whether a text may be too long for the window.

        A token stands for four letters of English, and a rare character is up to four tokens.
        """
        return self.window is not None and len(text) > self.window // 4


def choose_model(task: Task, models: ModelSettings, override: str | None = None) -> ChosenModel:
    """Return the model that does a task. Reads files, so it is not for the event loop.

    Args:
        task: The task.
        models: The user's settings.
        override: A model named for this run only.

    Raises:
        ModelError: It is not on this machine, or cannot generate text.
    """
    from transformers_ls.hub.facts import model_facts
    from transformers_ls.hub.resolve import resolve

    name = override or getattr(models, task.setting) or models.chat
    facts = model_facts(resolve(name).folder)
    hint = f"Choose another model for it (`transformers.models.{task.setting}`)."
    if not facts.has_weights:
        raise ModelError(f"{name} has no weights here, only a tokenizer.", hint)
    if facts.kind not in ("chat", "base", "seq2seq"):
        raise ModelError(f"{name} does not generate text ({facts.kind}).", hint)
    if facts.kind == "base" and not task.base_prompt:
        raise ModelError(f"{name} has no chat template, which `{task.id}` needs.", hint)
    if facts.kind == "seq2seq" and task.seq2seq_unit is None:
        raise ModelError(f"{name} transforms texts and cannot do `{task.id}`.", hint)
    kind: AskedAs = "t5" if facts.prefixes else facts.kind
    return ChosenModel(name, kind, facts.window)

"""A task, as data: the built-in ones and those of users are the same kind of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transformers_ls.errors import UsageError
from transformers_ls.tasks.languages import language_name, solved_pairs

__all__ = ["Placement", "Task", "Unit", "get_task"]

Placement = Literal["below", "replace", "after"]
"""Where the result goes: under the selection, in its place, or right behind its last word."""

Unit = Literal["text", "paragraph", "sentence"]
"""What one prompt holds: the whole selection, or one paragraph or sentence of it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to ask of a model about a text, and what to do with the answer.

    Prompts are `str.format` templates with the fields `text` and, for translations, `language`.
    """

    id: str
    title: str
    """The code action's title; a translation's language is appended to it."""
    description: str
    placement: Placement
    setting: str
    """The field of `ModelSettings` that names the model; an empty value there means `chat`."""
    chat_prompt: str
    """The user message for a model that has a chat template."""
    base_prompt: str = ""
    """The text to continue, for a model without a chat template; empty when only chat models can do
    the task."""
    system_prompt: str = ""
    """The system message before it; empty for none."""
    examples: tuple[tuple[str, str], ...] = ()
    """Solved cases, as pairs of a user message and its answer, before the user message."""
    as_comment: bool = False
    """Whether a result below code is written as a comment."""
    base_stop: tuple[str, ...] = ()
    """Where the continuation of `base_prompt` ends."""
    base_unit: Unit = "text"
    """How much of the selection one `base_prompt` holds."""
    chat_unit: Unit = "text"
    """How much of the selection one `chat_prompt` holds."""
    seq2seq_unit: Unit | None = None
    """How much of the selection an encoder-decoder gets; None when it cannot do the task."""
    t5_prefix: str = ""
    """What stands before the text for a T5, with the fields `source` and `language`."""
    merges: bool = False
    """True when the answers to the parts of a long text are, joined, a text for the same task:
    a summary of summaries."""
    repetition_penalty: float | None = None
    """Keeps a small model from going in circles where it writes freely; see `wire.Generate`."""
    needs_language: bool = False
    """True when the prompts name a target language; `base_prompt` then has the fields `examples`
    (solved pairs, few-shot) and `source` (the label of the text) too."""

    def chat_messages(self, text: str, language: str) -> list[dict[str, str]]:
        """Return what a model with a chat template is asked."""
        content = self.chat_prompt.format(text=text, language=language_name(language))
        turns = [("user", content)]
        for question, answer in reversed(self.examples):
            turns = [("user", question), ("assistant", answer), *turns]
        if self.system_prompt:
            turns.insert(0, ("system", self.system_prompt))
        return [{"role": role, "content": said} for role, said in turns]

    def continuation(self, text: str, language: str) -> str:
        """Return the text that a base model is to continue."""
        name = language_name(language)
        source = "French" if name == "English" else "English"
        return self.base_prompt.format(
            text=text, language=name, source=source, examples=solved_pairs(name)
        )


def get_task(task_id: str, tasks: Mapping[str, Task] | None = None) -> Task:
    """Return a task by its id.

    Args:
        task_id: Its id.
        tasks: What there is; the built-in ones when not given.

    Raises:
        UsageError: There is no such task.
    """
    from transformers_ls.tasks.built_in import BUILT_IN

    tasks = BUILT_IN if tasks is None else tasks
    try:
        return tasks[task_id]
    except KeyError:
        raise UsageError(
            f"There is no task `{task_id}`.", f"The tasks are: {', '.join(tasks)}."
        ) from None

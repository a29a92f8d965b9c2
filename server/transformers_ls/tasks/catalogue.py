"""A task: the built-in ones and those of users are the same kind of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transformers_ls.errors import UsageError
from transformers_ls.tasks.work import QuestionAnswering, Similarity, Work, Writing, ZeroShot

__all__ = ["Asks", "Inputs", "Task", "get_task"]

Asks = Literal["language", "question", "labels", "otherRange"]
"""What a user says beside the text; the last is a second text of the same document."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the user said beside the text, as far as the task asks for it."""

    language: str = ""
    """A target language, by name or code."""
    question: str = ""
    labels: tuple[str, ...] = ()
    other: str = ""
    """The text to compare with."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something that a model does with a text."""

    id: str
    title: str
    """The code action's title; a translation's language is appended to it, and one that asks for
    more ends in an ellipsis."""
    description: str
    setting: str
    """The field of `ModelSettings` that names the model; an empty value there means `chat`."""
    work: Work
    is_common: bool = True
    """Whether editors offer it on every selection, not only in the list of all tasks."""

    @property
    def result(self) -> Literal["edit", "answer"]:
        """Whether it ends in an edit to accept, or in something to read."""
        edits = isinstance(self.work, Writing) and self.work.placement is not None
        return "edit" if edits else "answer"

    @property
    def asks(self) -> tuple[Asks, ...]:
        """What the user has to say beside the text."""
        match self.work:
            case Writing() as writing:
                needed: list[Asks] = ["language"] if writing.needs_language else []
                return (*needed, "question") if writing.needs_question else tuple(needed)
            case QuestionAnswering():
                return ("question",)
            case ZeroShot(labels=()):
                return ("labels",)
            case Similarity():
                return ("otherRange",)
            case _:
                return ()

    def check(self, inputs: Inputs) -> None:
        """See that all is said that the task asks for; a language has a default.

        Raises:
            UsageError: Something is missing.
        """
        asks = self.asks
        if "question" in asks and not inputs.question.strip():
            raise UsageError(f"`{self.id}` needs a question.", "Say what you want to know.")
        if "labels" in asks and not any(label.strip() for label in inputs.labels):
            raise UsageError(
                f"`{self.id}` needs labels to choose from.", "Name some: `bug, question, praise`."
            )
        if "otherRange" in asks and not inputs.other.strip():
            raise UsageError(f"`{self.id}` compares two texts.", "Select a second one, too.")


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

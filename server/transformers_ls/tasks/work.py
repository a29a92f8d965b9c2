"""What a task does with a text, as data: each kind of work is a record of its own.

A model writes (`Writing`), or says something of the text without changing it (all the others). What
both a model that writes and one that labels can do is done by whichever the user has.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Literal, TypeAlias

from transformers_ls.tasks.languages import language_name, solved_pairs

__all__ = [
    "Classification",
    "Entities",
    "FillMask",
    "Placement",
    "QuestionAnswering",
    "Similarity",
    "Unit",
    "Work",
    "Writing",
    "ZeroShot",
]

Placement = Literal["below", "replace", "after", "docstring"]
"""Where a text goes: under the selection, in its place, right behind its last word, or to the head
of the function or class that is selected."""

Unit = Literal["text", "paragraph", "sentence"]
"""What one prompt holds: the whole selection, or one paragraph or sentence of it."""


@dataclass(frozen=True, slots=True)
class Writing:
    """A model writes a text.

    Prompts are `str.format` templates with the field `text`, and with `language` or `question` where
    the user is to be asked for one.
    """

    chat_prompt: str
    """The user message for a model that has a chat template."""
    placement: Placement | None = None
    """Where the text goes; None when it is shown beside the document and goes nowhere."""
    base_prompt: str = ""
    """The text to continue, for a model without a chat template; empty when only chat models can do
    the task. For a translation it also has the fields `examples` (solved pairs, few-shot) and
    `source` (the label of the text)."""
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
    """What stands before the text for a T5, with the fields `source`, `language` and `question`."""
    merges: bool = False
    """True when the answers to the parts of a long text are, joined, a text for the same task:
    a summary of summaries."""
    repetition_penalty: float | None = None
    """Keeps a small model from going in circles where it writes freely; see `wire.Generate`."""
    repeats_prompt: bool = False
    """Whether much of the answer will likely stand in the text, as in a correction."""

    @property
    def needs_language(self) -> bool:
        """Whether the prompt names a target language."""
        return "language" in _fields(self.chat_prompt)

    @property
    def needs_question(self) -> bool:
        """Whether the prompt holds a question of the user's."""
        return "question" in _fields(self.chat_prompt)

    def chat_messages(self, text: str, language: str, question: str) -> list[dict[str, str]]:
        """Return what a model with a chat template is asked."""
        content = self.chat_prompt.format(
            text=text, language=language_name(language), question=question
        )
        turns = [("user", content)]
        for asked, answer in reversed(self.examples):
            turns = [("user", asked), ("assistant", answer), *turns]
        if self.system_prompt:
            turns.insert(0, ("system", self.system_prompt))
        return [{"role": role, "content": said} for role, said in turns]

    def continuation(self, text: str, language: str, question: str) -> str:
        """Return the text that a base model is to continue."""
        name = language_name(language)
        source = "French" if name == "English" else "English"
        return self.base_prompt.format(
            text=text,
            language=name,
            source=source,
            examples=solved_pairs(name),
            question=question,
        )


@dataclass(frozen=True, slots=True)
class Classification:
    """A classifier gives its own labels to the text."""

    labels: tuple[str, ...] = ()
    """What a model without fitting labels of its own chooses from; without them only a classifier
    can do it."""
    hypothesis: str = ""
    """As in `ZeroShot`, for these labels."""


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """A model chooses from labels that it was not trained for."""

    labels: tuple[str, ...] = ()
    """What to choose from; the user is asked when there are none."""
    multi_label: bool = False
    """Whether several may be true: each is then scored by itself."""
    hypothesis: str = ""
    """The sentence that holds a label at `{}`; empty for the engine's own."""


@dataclass(frozen=True, slots=True)
class Entities:
    """A model marks the names of persons, places and other things."""


@dataclass(frozen=True, slots=True)
class QuestionAnswering:
    """A model answers a question on the text: by its passages, or in its own words."""

    writing: Writing
    """How a model that writes is asked."""


@dataclass(frozen=True, slots=True)
class FillMask:
    """A model says which words may stand at a mask in the text."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """A model says how close the meanings of two texts are."""


Work: TypeAlias = (
    Writing | Classification | ZeroShot | Entities | QuestionAnswering | FillMask | Similarity
)


def _fields(template: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(template)}

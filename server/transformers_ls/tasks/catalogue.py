"""The tasks, as data: built-in and user-defined tasks are the same kind of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transformers_ls.errors import UsageError

__all__ = ["BUILT_IN", "Placement", "Task", "Unit", "get_task"]

Placement = Literal["below", "replace"]
"""Where the result goes: under the selection, or in its place."""

Unit = Literal["text", "sentence"]
"""What one prompt holds: the whole selection, or one sentence of it."""


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
    base_prompt: str
    """The text to continue, for a model without a chat template."""
    base_stop: tuple[str, ...] = ()
    """Where the continuation of `base_prompt` ends."""
    system_prompt: str = ""
    """The system message, for a model that has a chat template; empty for none."""
    chat_unit: Unit = "text"
    base_unit: Unit = "text"
    repetition_penalty: float | None = None
    """Keeps a small model from going in circles where it writes freely; see `wire.Generate`."""
    examples: Mapping[str, tuple[tuple[str, str], ...]] | None = None
    """Solved pairs by target language, shown to a base model before the text (few-shot)."""


# Two neutral sentences of different shape are enough for a base model to see the pattern; they are
# short so that the prompt stays cheap on a CPU.
_PAIRS = {
    "English": ("The cat is sleeping on the sofa.", "How much does this book cost?"),
    "French": ("Le chat dort sur le canapé.", "Combien coûte ce livre ?"),
    "German": ("Die Katze schläft auf dem Sofa.", "Wie viel kostet dieses Buch?"),
    "Spanish": ("El gato duerme en el sofá.", "¿Cuánto cuesta este libro?"),
    "Italian": ("Il gatto dorme sul divano.", "Quanto costa questo libro?"),
    "Portuguese": ("O gato está dormindo no sofá.", "Quanto custa este livro?"),
    "Dutch": ("De kat slaapt op de bank.", "Hoeveel kost dit boek?"),
}


def _examples() -> dict[str, tuple[tuple[str, str], ...]]:
    source = _PAIRS["English"]
    return {
        language: tuple(zip(source, target, strict=True))
        for language, target in _PAIRS.items()
        if language != "English"
    } | {"English": tuple(zip(_PAIRS["French"], source, strict=True))}


BUILT_IN: Mapping[str, Task] = {
    task.id: task
    for task in (
        Task(
            id="summarize",
            title="Summarize selection",
            description="A short summary, below the selection.",
            placement="below",
            setting="summarization",
            chat_prompt="Summarize the following text in one or two sentences. "
            "Answer with the summary only.\n\n{text}",
            base_prompt="{text}\n\nIn one sentence, the text above says that",
            base_stop=("\n",),
        ),
        Task(
            id="translate",
            title="Translate selection to",
            description="A translation, in place of the selection.",
            placement="replace",
            setting="translation",
            chat_prompt="Translate the following text to {language}. Keep its formatting. "
            "Answer with the translation only.\n\n{text}",
            base_prompt="{examples}{text}\n{language}:",
            base_stop=("\n",),
            base_unit="sentence",
            examples=_examples(),
        ),
        Task(
            id="generate",
            title="Generate from selection",
            description="The model's answer to the selection, below it.",
            placement="below",
            setting="generation",
            chat_prompt="{text}",
            base_prompt="{text}",
            repetition_penalty=1.15,
        ),
    )
}


def get_task(task_id: str) -> Task:
    """Return a task by its id.

    Raises:
        UsageError: There is no such task.
    """
    try:
        return BUILT_IN[task_id]
    except KeyError:
        raise UsageError(
            f"There is no task `{task_id}`.", f"The tasks are: {', '.join(BUILT_IN)}."
        ) from None

"""The tasks, as data: built-in and user-defined tasks are the same kind of record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from transformers_ls.errors import UsageError

__all__ = ["BUILT_IN", "Placement", "Task", "Unit", "get_task", "language_name"]

Placement = Literal["below", "replace"]
"""Where the result goes: under the selection, or in its place."""

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
    base_prompt: str
    """The text to continue, for a model without a chat template."""
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
        return [{"role": "user", "content": content}]

    def continuation(self, text: str, language: str) -> str:
        """Return the text that a base model is to continue."""
        name = language_name(language)
        source = "French" if name == "English" else "English"
        return self.base_prompt.format(
            text=text, language=name, source=source, examples=_shots(name)
        )


# A statement, a question, an order, a statement: with fewer shapes a small base model answers in the
# shape it saw last. They are short, since each prompt carries them all.
_PAIRS = {
    "English": (
        "The cat is sleeping on the sofa.",
        "How much does this book cost?",
        "Click the button to save your file.",
        "The program shows a message when the computer is ready.",
    ),
    "French": (
        "Le chat dort sur le canapé.",
        "Combien coûte ce livre ?",
        "Cliquez sur le bouton pour enregistrer votre fichier.",
        "Le programme affiche un message quand l'ordinateur est prêt.",
    ),
    "German": (
        "Die Katze schläft auf dem Sofa.",
        "Wie viel kostet dieses Buch?",
        "Klicken Sie auf die Schaltfläche, um Ihre Datei zu speichern.",
        "Das Programm zeigt eine Nachricht an, wenn der Computer bereit ist.",
    ),
    "Spanish": (
        "El gato duerme en el sofá.",
        "¿Cuánto cuesta este libro?",
        "Haga clic en el botón para guardar su archivo.",
        "El programa muestra un mensaje cuando el ordenador está listo.",
    ),
    "Italian": (
        "Il gatto dorme sul divano.",
        "Quanto costa questo libro?",
        "Fai clic sul pulsante per salvare il file.",
        "Il programma mostra un messaggio quando il computer è pronto.",
    ),
    "Portuguese": (
        "O gato está dormindo no sofá.",
        "Quanto custa este livro?",
        "Clique no botão para salvar o arquivo.",
        "O programa mostra uma mensagem quando o computador está pronto.",
    ),
    "Dutch": (
        "De kat slaapt op de bank.",
        "Hoeveel kost dit boek?",
        "Klik op de knop om je bestand op te slaan.",
        "Het programma toont een bericht wanneer de computer klaar is.",
    ),
}

_CODES = {
    "en": "English",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
}


def language_name(language: str) -> str:
    """Return a language as prompts name it: "fr" and "french" are "French"; others stay."""
    plain = language.strip()
    return _CODES.get(plain.lower(), plain[:1].upper() + plain[1:])


def _shots(language: str) -> str:
    """Return solved translations into a language, for a base model; empty where there are none.

    A base model copies the pattern of its prompt, so the pairs must end in the wanted language.
    """
    source = "French" if language == "English" else "English"
    if language not in _PAIRS:
        return ""
    pairs = zip(_PAIRS[source], _PAIRS[language], strict=True)
    return "".join(f"{source}: {given}\n{language}: {wanted}\n\n" for given, wanted in pairs)


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
            seq2seq_unit="text",
            t5_prefix="summarize: ",
            merges=True,
        ),
        Task(
            id="translate",
            title="Translate selection to",
            description="A translation, in place of the selection.",
            placement="replace",
            setting="translation",
            chat_prompt="Translate the following text to {language}. Keep its formatting. "
            "Answer with the translation only.\n\n{text}",
            base_prompt="{examples}{source}: {text}\n{language}:",
            base_stop=("\n",),
            base_unit="sentence",
            chat_unit="paragraph",
            seq2seq_unit="sentence",
            t5_prefix="translate {source} to {language}: ",
            needs_language=True,
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

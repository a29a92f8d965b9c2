"""Which model does a task, and how it has to be asked: from what its files say, never by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from transformers_ls.errors import ModelError
from transformers_ls.settings import ModelSettings, setting_key
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.work import (
    Classification,
    Entities,
    FillMask,
    QuestionAnswering,
    Similarity,
    Work,
    Writing,
    ZeroShot,
)

if TYPE_CHECKING:
    from transformers_ls.hub.facts import ModelFacts

__all__ = ["AskedAs", "ChosenModel", "InferredAs", "WrittenAs", "able", "choose_model", "model_for"]

WrittenAs = Literal["chat", "base", "seq2seq", "t5"]
"""How a model that writes is asked: a chat through its template, a text to continue, a text to
transform by a model that does nothing else (BART, Marian), or one that is told what to do by a
prefix (T5)."""

InferredAs = Literal[
    "text-classification",
    "zero-shot-classification",
    "token-classification",
    "question-answering",
    "fill-mask",
    "sentence-similarity",
]
"""What is asked of a model that says something of a text; the names are the Hub's."""

AskedAs: TypeAlias = WrittenAs | InferredAs


@dataclass(frozen=True, slots=True)
class _Need:
    """What a kind of work takes, for people, and a model of the Hub that is one."""

    kind: str
    example: str


_NEEDS: dict[type, _Need] = {
    Classification: _Need(
        "a text classifier", "distilbert/distilbert-base-uncased-finetuned-sst-2-english"
    ),
    ZeroShot: _Need(
        "a model for natural language inference, or one that writes", "facebook/bart-large-mnli"
    ),
    Entities: _Need("a token classifier", "dslim/bert-base-NER"),
    QuestionAnswering: _Need(
        "a model for extractive question answering, or one that writes",
        "deepset/roberta-base-squad2",
    ),
    FillMask: _Need("a masked language model", "google-bert/bert-base-uncased"),
    Similarity: _Need("an embedding model", "sentence-transformers/all-MiniLM-L6-v2"),
}


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model that can do a task."""

    name: str
    """As the user named it."""
    kind: AskedAs
    folder: Path
    """Where its files are."""
    window: int | None = None
    """Its context window in tokens; None when its files do not say."""
    notice: str = ""
    """What its user should know of it: an adapter whose tokenizer or template is not its base's."""

    def may_fill(self, text: str) -> bool:
        """Tell, without counting, whether a prompt of a text may be too long for the window.

        A token stands for four letters of English, and a rare character is up to four tokens. Only
        a prompt has to fit: whoever labels a text reads it window by window.
        """
        writes = self.kind in get_args(WrittenAs)
        return writes and self.window is not None and len(text) > self.window // 4


def model_for(task: Task, models: ModelSettings) -> str:
    """Return the name of the model that the settings give to a task.

    The chat model stands in where a model that writes can do it; else it is empty when none is named.
    """
    named: str = getattr(models, task.setting)
    match task.work:
        case Entities() | FillMask() | Similarity() | Classification(labels=()):
            return named
        case _:
            return named or models.chat


def choose_model(task: Task, models: ModelSettings, override: str | None = None) -> ChosenModel:
    """Return the model that does a task. Reads files, so it is not for the event loop.

    Args:
        task: The task.
        models: The user's settings.
        override: A model named for this run only.

    Raises:
        ModelError: It is not on this machine, or cannot do the task.
    """
    from transformers_ls.hub.adapters import mismatches
    from transformers_ls.hub.facts import model_facts
    from transformers_ls.hub.resolve import resolve

    name = override or model_for(task, models)
    if not name:
        raise ModelError(f"`{task.id}` takes {_NEEDS[type(task.work)].kind}.", _hint(task))
    found = resolve(name)
    if found.problem is not None:
        raise found.problem
    facts = model_facts(found.folder, found.adapter)
    if not facts.has_weights:
        raise ModelError(f"{name} has no weights here, only a tokenizer.", _hint(task))
    kind = _kind(task.work, facts)
    if kind is None:
        raise ModelError(f"{name} {_why_not(task, facts)}.", _hint(task))
    notice = ""
    if found.adapter is not None:
        if kind not in get_args(WrittenAs):
            message = f"`{task.id}` takes a model without an adapter, and {name} has one."
            raise ModelError(message, _hint(task))
        notice = " ".join(mismatches(found.adapter, found.folder))
    return ChosenModel(name, kind, found.folder, facts.window, notice)


def able(facts: ModelFacts, *, adapted: bool = False) -> list[str]:
    """Return the ids of the built-in tasks that a model can do, as `choose_model` would decide.

    Args:
        facts: What its files say.
        adapted: Whether an adapter is put on it.
    """
    from transformers_ls.tasks.built_in import BUILT_IN

    if not facts.has_weights:
        return []
    kinds = {task.id: _kind(task.work, facts) for task in BUILT_IN.values()}
    known = get_args(WrittenAs) if adapted else (*get_args(WrittenAs), *get_args(InferredAs))
    return [name for name, kind in kinds.items() if kind in known]


def _kind(work: Work, facts: ModelFacts) -> AskedAs | None:
    """Say how a model is asked for some work; None when it cannot do it."""
    return _writes(work, facts) if isinstance(work, Writing) else _infers(work, facts)


def _hint(task: Task) -> str:
    setting = f"`{setting_key('models', task.setting)}`"
    if (need := _NEEDS.get(type(task.work))) is None:
        return f"Choose another model for it ({setting})."
    return f"Name one in {setting}, such as `{need.example}`."


def _writes(work: Writing, facts: ModelFacts) -> WrittenAs | None:
    """Say how a model that writes is asked; None when it cannot do it."""
    if facts.kind == "chat":
        return "chat"
    if facts.kind == "base" and work.base_prompt:
        return "base"
    if facts.kind == "seq2seq" and facts.prefixes and work.t5_prefix:
        return "t5"
    return "seq2seq" if facts.kind == "seq2seq" and work.seq2seq_unit else None


def _infers(work: Work, facts: ModelFacts) -> AskedAs | None:
    """Say what is asked of a model for a task that writes nothing; None when it cannot do it."""
    head = facts.architecture
    match work:
        case Classification() | ZeroShot():
            return _classifies(work, facts)
        case Entities() if head.endswith("ForTokenClassification"):
            return "token-classification"
        case QuestionAnswering() if head.endswith("ForQuestionAnswering"):
            return "question-answering"
        case QuestionAnswering():
            return _writes(work.writing, facts)
        case FillMask() if head.endswith("ForMaskedLM"):
            return "fill-mask"
        case Similarity() if facts.embeds:
            return "sentence-similarity"
    return None


def _classifies(work: Classification | ZeroShot, facts: ModelFacts) -> InferredAs | None:
    if facts.kind in ("chat", "base") or facts.entails:
        given = isinstance(work, ZeroShot) or work.labels
        return "zero-shot-classification" if given else None
    own = facts.architecture.endswith("ForSequenceClassification")
    return "text-classification" if own and isinstance(work, Classification) else None


def _why_not(task: Task, facts: ModelFacts) -> str:
    if not isinstance(task.work, Writing):
        return f"cannot do `{task.id}`, which takes {_NEEDS[type(task.work)].kind}"
    if facts.kind == "base":
        return f"has no chat template, which `{task.id}` needs"
    if facts.kind == "seq2seq":
        return f"transforms texts and cannot do `{task.id}`"
    return f"does not generate text ({facts.kind})"

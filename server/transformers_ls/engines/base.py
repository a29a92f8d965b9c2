"""What a task may ask of whatever runs models: the `Engine` protocol.

It is the part of `huggingface_hub.AsyncInferenceClient` that tasks need, with its names and its
typed outputs, so that the remote engine *is* that client and the local one answers the same calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, Unpack

if TYPE_CHECKING:
    from huggingface_hub import (
        ChatCompletionStreamOutput,
        FillMaskOutputElement,
        QuestionAnsweringOutputElement,
        TextClassificationOutputElement,
        TextGenerationStreamOutput,
        TokenClassificationOutputElement,
        ZeroShotClassificationOutputElement,
    )

__all__ = [
    "BatchItem",
    "Engine",
    "EngineFacts",
    "EngineState",
    "EngineStatus",
    "FactsListener",
    "Listeners",
    "Options",
    "Prompt",
    "Stage",
    "StageListener",
]

EngineState = Literal["stopped", "starting", "idle", "busy", "failed"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What an engine is doing now."""

    kind: Literal["local", "remote"]
    state: EngineState
    destination: str
    """Where the user's text goes, in words: "this machine (cpu, bfloat16)", or a host name."""
    pid: int | None = None
    device: str | None = None
    dtype: str | None = None
    model: str | None = None
    message: str = ""
    """Why it failed; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run waits for before its first token."""

    name: Literal["starting", "loading", "running"]
    message: str
    percent: int | None = None
    done_bytes: int | None = None
    """How much of the weights is loaded; None where the stage has nothing to do with bytes."""
    total_bytes: int | None = None


StageListener = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What a run took, as the engine itself measured it; times in seconds."""

    device: str
    dtype: str
    prompt_tokens: int
    completion_tokens: int
    time_to_first_token: float | None
    """Loading the model included; None when nothing was generated."""
    seconds: float
    load_seconds: float
    seed: int | None
    memory_bytes: int | None
    """The most memory of the device that was used so far; None when it does not say."""
    reused_tokens: int
    """How many tokens of the prompt were not computed anew: an earlier one began with them."""
    accepted_tokens: int
    """How many tokens of the answer were drafted from the prompt and found right."""


FactsListener = Callable[[EngineFacts], None]

Prompt: TypeAlias = str | Sequence[Mapping[str, Any]]
"""A text to continue, or the messages of a chat to answer."""


class Options(TypedDict, total=False):
    """How an answer is generated; what is left out is as the model's own defaults have it."""

    temperature: float | None
    """None or 0 for greedy decoding."""
    repetition_penalty: float | None
    seed: int | None
    stop: Sequence[str] | None
    """Strings that end the answer, and are no part of it."""
    languages: tuple[str, str] | None
    """Source and target, by name or code, for models that have language codes (NLLB …)."""
    repeats_prompt: bool
    """Whether much of the answer will likely stand in the prompt (an edit, a correction); ours
    alone, and it changes no greedy answer."""
    on_stage: StageListener | None
    """Told what the run waits for; ours alone."""
    on_facts: FactsListener | None
    """Told what the run took, once, when it ends; ours alone."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """A piece of the answer to one prompt of a batch."""

    row: int
    """Which prompt it answers."""
    text: str
    finish_reason: Literal["stop", "length"] | None = None
    """Set in the last item of a row, which holds no text but the tokens that it took."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Listeners(TypedDict, total=False):
    """Who is told of a run that says something of a text; both are ours alone."""

    on_stage: StageListener | None
    """Told what the run waits for, and how far it is."""
    on_facts: FactsListener | None
    """Told what the run took, once, when it ends."""


class Engine(Protocol):
    """Runs models. All methods raise the errors of `transformers_ls.errors`.

    Closing the returned iterator early (`aclose`), or cancelling the task that awaits it, stops the
    compute within one decode step, or within one layer of a model that generates nothing.

    Those that say something of a text take any length: what the model's window does not hold is
    read by windows that overlap. They count places in it in code points.
    """

    def chat_completion(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str,
        max_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[ChatCompletionStreamOutput, None]:
        """Stream the answer to a chat; the last item carries `usage` and `finish_reason`."""
        ...

    def text_generation(
        self,
        prompt: str,
        *,
        model: str,
        max_new_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[TextGenerationStreamOutput, None]:
        """Stream the continuation of a prompt; the last item carries `details`."""
        ...

    def generate_batch(
        self,
        prompts: Sequence[Prompt],
        *,
        model: str,
        max_new_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[BatchItem, None]:
        """Answer several prompts beside each other, all of them texts or all of them chats.

        This one is ours: the client has no batches. The items of the rows come mixed as they are
        computed, those of one row in order.
        """
        ...

    async def text_classification(
        self,
        text: str,
        *,
        model: str,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[TextClassificationOutputElement]:
        """Score a classifier's own labels, the likeliest first.

        A model that generates text knows one question only: positive, neutral or negative?
        """
        ...

    async def zero_shot_classification(
        self,
        text: str,
        candidate_labels: Sequence[str],
        *,
        model: str,
        multi_label: bool = False,
        hypothesis_template: str | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[ZeroShotClassificationOutputElement]:
        """Score any labels, the likeliest first, by a model for entailment or one that generates.

        Args:
            text: What to label.
            candidate_labels: What to choose from.
            model: Its name.
            multi_label: Whether several may be true: each is then scored by itself.
            hypothesis_template: A sentence about the text that holds a label at `{}`.
            listeners: Who is told of the run.
        """
        ...

    async def token_classification(
        self, text: str, *, model: str, **listeners: Unpack[Listeners]
    ) -> list[TokenClassificationOutputElement]:
        """Find named entities in their order; `word` is as the text has it."""
        ...

    async def question_answering(
        self,
        question: str,
        context: str,
        *,
        model: str,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[QuestionAnsweringOutputElement]:
        """Find the passages that answer a question, the likeliest first; one by default."""
        ...

    async def fill_mask(
        self,
        text: str,
        *,
        model: str,
        targets: Sequence[str] | None = None,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[FillMaskOutputElement]:
        """Find what may stand in place of the one mask in a text (`[MASK]` or `<mask>`)."""
        ...

    async def sentence_similarity(
        self,
        sentence: str,
        other_sentences: Sequence[str],
        *,
        model: str,
        **listeners: Unpack[Listeners],
    ) -> list[float]:
        """Return how alike a text and each of others are: the cosine of their vectors."""
        ...

    def status(self) -> EngineStatus:
        """Say what the engine is doing now; cheap."""
        ...

    async def close(self) -> None:
        """End the engine and give back all it holds; safe to call twice."""
        ...

"""Runs a task that says something of a text: one call of the engine, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from transformers_ls.engines.base import Engine, EngineFacts, Listeners, StageListener
from transformers_ls.errors import UsageError
from transformers_ls.tasks.facts import RunFacts
from transformers_ls.tasks.findings import Finding, Findings
from transformers_ls.tasks.request import InferenceRequest

__all__ = ["InferenceRun"]

_ANSWERS = 3
"""How many passages are shown: the best may not be the one that is meant."""


@dataclass(slots=True)
class InferenceRun:
    """One run of such a task: await `perform()` once, then read `findings`, `text` and `facts`.

    The worker reads a text that is longer than the model's window by windows that overlap, so the
    text is never cut here.
    """

    engine: Engine
    request: InferenceRequest
    on_stage: StageListener | None = None
    clock: Callable[[], float] = time.perf_counter
    text: str = ""
    """The best that was found, in one line."""
    findings: Findings | None = None
    facts: RunFacts = field(init=False)

    def __post_init__(self) -> None:
        self.facts = RunFacts(model=self.request.model)

    async def perform(self, on_delta: Callable[[str], None]) -> None:
        """Do the run; cancelling it stops the compute. Nothing is streamed.

        Raises:
            UsageError: The text is empty.
            TransformersLsError: Whatever the engine met.
        """
        del on_delta
        request = self.request
        if not request.text.strip():
            raise UsageError("The selection holds no words.", "Select the text to work on first.")
        started = self.clock()
        self.findings = Findings(request.kind, request.text, tuple(await self._ask()))
        self.text = self.findings.summary()
        self.facts.seconds = self.clock() - started
        self.facts.destination = self.engine.status().destination

    def _add(self, measured: EngineFacts) -> None:
        self.facts.add(measured)
        self.facts.prompt_tokens += measured.prompt_tokens

    async def _ask(self) -> list[Finding]:
        engine, asked = self.engine, self.request
        model = asked.model
        listeners: Listeners = {"on_stage": self.on_stage, "on_facts": self._add}
        match asked.kind:
            case "text-classification":
                classes = await engine.text_classification(asked.text, model=model, **listeners)
                return [Finding(item.label, item.score) for item in classes]
            case "zero-shot-classification":
                chosen = await engine.zero_shot_classification(
                    asked.text,
                    list(asked.labels),
                    model=model,
                    multi_label=asked.multi_label,
                    hypothesis_template=asked.hypothesis or None,
                    **listeners,
                )
                return [Finding(item.label, item.score) for item in chosen]
            case "token-classification":
                names = await engine.token_classification(asked.text, model=model, **listeners)
                return [
                    Finding(
                        item.entity_group or item.entity or "", item.score, (item.start, item.end)
                    )
                    for item in names
                ]
            case "question-answering":
                answers = await engine.question_answering(
                    asked.question, asked.text, model=model, top_k=_ANSWERS, **listeners
                )
                # An empty answer is how a model says that the text does not hold one.
                return [
                    Finding(item.answer, item.score, (item.start, item.end))
                    for item in answers
                    if item.answer.strip()
                ]
            case "fill-mask":
                assert asked.gap is not None
                words = await engine.fill_mask(asked.gap.text, model=model, **listeners)
                span = (asked.gap.start, asked.gap.end)
                return [Finding(str(item.token_str).strip(), item.score, span) for item in words]
            case "sentence-similarity":
                (score,) = await engine.sentence_similarity(
                    asked.text, [asked.other], model=model, **listeners
                )
                return [Finding("similarity", score)]

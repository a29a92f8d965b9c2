"""What the local engine says of texts: requests to the worker, and its answers in the Hub's types."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from transformers_ls.engines import outputs
from transformers_ls.engines.base import Listeners
from transformers_ls.engines.worker_host import WorkerHost
from transformers_ls.errors import UsageError
from transformers_ls.hub.resolve import ResolvedModel
from transformers_ls_worker import wire

if TYPE_CHECKING:
    from huggingface_hub import (
        FillMaskOutputElement,
        QuestionAnsweringOutputElement,
        TextClassificationOutputElement,
        TokenClassificationOutputElement,
        ZeroShotClassificationOutputElement,
    )

__all__ = ["InferenceHost"]

_SENTIMENTS = ("positive", "neutral", "negative")
_SENTIMENT = "The sentiment of this text is {}."
"""The one question that a model without labels of its own is asked."""

_Item = TypeVar("_Item")


class InferenceHost(WorkerHost):
    """The methods of `Engine` that say something of a text, done in a worker process."""

    _resolve: Callable[[str], ResolvedModel]

    async def text_classification(
        self,
        text: str,
        *,
        model: str,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[TextClassificationOutputElement]:
        """Score a classifier's own labels; see `Engine.text_classification`."""
        from huggingface_hub import TextClassificationOutputElement as Element

        def write(found: ResolvedModel) -> wire.Infer:
            if not _generates(found.folder):
                return _request(found, "text-classification", [text], top_k=top_k)
            asked: Any = {"labels": _SENTIMENTS, "hypothesis": _SENTIMENT, "top_k": top_k}
            return _request(found, "zero-shot-classification", [text], **asked)

        return _parsed(Element, (await self._say(model, write, **listeners))[0])

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
        """Score any labels; see `Engine.zero_shot_classification`."""
        from huggingface_hub import ZeroShotClassificationOutputElement as Element

        labels = tuple(dict.fromkeys(label.strip() for label in candidate_labels))
        if not labels or not all(labels):
            raise UsageError("A label is empty.", "Name at least one label, and no empty ones.")
        if hypothesis_template is not None and hypothesis_template.count("{}") != 1:
            raise UsageError("The hypothesis has no place for a label.", "Write {} there, once.")

        def write(found: ResolvedModel) -> wire.Infer:
            return _request(
                found,
                "zero-shot-classification",
                [text],
                labels=labels,
                multi_label=multi_label,
                hypothesis=hypothesis_template or "",
            )

        return _parsed(Element, (await self._say(model, write, **listeners))[0])

    async def token_classification(
        self, text: str, *, model: str, **listeners: Unpack[Listeners]
    ) -> list[TokenClassificationOutputElement]:
        """Find named entities; see `Engine.token_classification`."""
        from huggingface_hub import TokenClassificationOutputElement as Element

        def write(found: ResolvedModel) -> wire.Infer:
            return _request(found, "token-classification", [text])

        return _parsed(Element, (await self._say(model, write, **listeners))[0])

    async def question_answering(
        self,
        question: str,
        context: str,
        *,
        model: str,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[QuestionAnsweringOutputElement]:
        """Find the passages that answer a question; see `Engine.question_answering`."""
        from huggingface_hub import QuestionAnsweringOutputElement as Element

        if not question.strip():
            raise UsageError("The question is empty.", "Ask something about the text.")

        def write(found: ResolvedModel) -> wire.Infer:
            return _request(found, "question-answering", [context], question=question, top_k=top_k)

        return _parsed(Element, (await self._say(model, write, **listeners))[0])

    async def fill_mask(
        self,
        text: str,
        *,
        model: str,
        targets: Sequence[str] | None = None,
        top_k: int | None = None,
        **listeners: Unpack[Listeners],
    ) -> list[FillMaskOutputElement]:
        """Find what may stand in place of a mask; see `Engine.fill_mask`."""
        from huggingface_hub import FillMaskOutputElement as Element

        def write(found: ResolvedModel) -> wire.Infer:
            return _request(found, "fill-mask", [text], labels=tuple(targets or ()), top_k=top_k)

        return _parsed(Element, (await self._say(model, write, **listeners))[0])

    async def sentence_similarity(
        self,
        sentence: str,
        other_sentences: Sequence[str],
        *,
        model: str,
        **listeners: Unpack[Listeners],
    ) -> list[float]:
        """Return how alike texts are; see `Engine.sentence_similarity`."""

        def write(found: ResolvedModel) -> wire.Infer:
            return _request(found, "feature-extraction", [sentence, *other_sentences])

        first, *others = await self._say(model, write, **listeners)
        # The vectors have the length 1, so this is the cosine.
        return [sum(a * b for a, b in zip(first, other, strict=True)) for other in others]

    async def _say(
        self,
        model: str,
        write: Callable[[ResolvedModel], wire.Infer],
        **listeners: Unpack[Listeners],
    ) -> list[list[Any]]:
        """Find the model, write the request for it, and return what was said of each text."""

        def prepare() -> wire.Infer:
            found = self._resolve(model)
            if found.problem is not None:
                raise found.problem
            return write(found)

        on_stage, on_facts = listeners.get("on_stage"), listeners.get("on_facts")
        self._begin_start(on_stage)
        closings = self._closings
        request = await asyncio.to_thread(prepare)
        values: list[list[Any]] = [[] for _ in request.texts]
        async with aclosing(self._run(request, model, on_stage, closings)) as frames:
            async for frame in frames:
                if isinstance(frame, wire.Output):
                    values[frame.row] += frame.value
                elif isinstance(frame, wire.Done) and on_facts is not None:
                    on_facts(outputs.facts_of(frame))
        return values


def _request(
    found: ResolvedModel, task: wire.InferTask, texts: Sequence[str], **fields: Any
) -> wire.Infer:
    return wire.Infer(
        run_id=uuid.uuid4().hex,
        model=str(found.folder),
        adapter=str(found.adapter or ""),
        task=task,
        texts=tuple(texts),
        **fields,
    )


def _generates(path: Path) -> bool:
    from transformers_ls.hub.facts import model_facts

    return model_facts(path).kind in ("chat", "base")


def _parsed(kind: type[_Item], values: list[Any]) -> list[_Item]:
    """Return the Hub's typed outputs."""
    parse: Any = kind
    parsed: list[_Item] = parse.parse_obj_as_list(values)
    return parsed

"""The tasks that answer, with the real worker: from a model's files to what was found."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_encoders import ENTITIES, names
from transformers_ls.engines.local import LocalEngine
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Inputs, get_task
from transformers_ls.tasks.choose import choose_model
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.request import make_request
from transformers_ls.tasks.runs import make_run

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Longer than the window of the tiny models by far.
TEXT = "Angela Merkel met Emmanuel Macron in Zürich 🙂.\n" * 40


async def render(_folder, messages) -> str:
    return "".join(f"<|start|>{m['role']}: {m['content']}<|end|>" for m in messages)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    made = LocalEngine(render_chat=render, device="cpu", dtype="float32")
    yield made
    await made.close()


async def answer(engine, task: str, model, text: str = TEXT, **inputs) -> InferenceRun:
    chosen = choose_model(get_task(task), Settings().models, str(model))
    request = make_request(
        get_task(task),
        text,
        chosen,
        inputs=Inputs(**inputs),
        settings=Settings(),
        language_id="markdown",
    )
    run = make_run(engine, request)
    assert isinstance(run, InferenceRun)
    async with asyncio.timeout(120):
        await run.perform(lambda _: None)
    assert run.findings is not None
    assert (run.facts.device, run.facts.dtype) == ("cpu", "float32")
    assert run.facts.prompt_tokens > 0
    return run


async def test_a_classifier_gives_its_own_labels(engine, encoders):
    model = encoders("bert", "ForSequenceClassification", **names("good", "bad"))
    for task in ("classify", "sentiment"):
        found = (await answer(engine, task, model)).findings.items
        assert {item.label for item in found} == {"good", "bad"}
        assert sum(item.score for item in found) == pytest.approx(1)


@pytest.mark.parametrize("kind", ["entailment", "llama"])
async def test_any_labels(engine, encoders, llama, kind):
    nli = encoders("bert", "ForSequenceClassification", **names("contradiction", "entailment"))
    model = llama if kind == "llama" else nli
    found = (await answer(engine, "zero-shot", model, labels=("bug", "praise"))).findings.items
    assert {item.label for item in found} == {"bug", "praise"}
    assert sum(item.score for item in found) == pytest.approx(1)
    found = (await answer(engine, "sentiment", model)).findings.items
    assert {item.label for item in found} == {"positive", "neutral", "negative"}


async def test_names_lie_where_they_stand(engine, encoders):
    model = encoders("bert", "ForTokenClassification", **names(*ENTITIES))
    run = await answer(engine, "entities", model, f"---\nname: Ada\n---\n{TEXT}")
    assert run.findings.items
    for item in run.findings.items:
        assert item.label in ("PER", "LOC")
        assert run.findings.quote(item).strip() == run.findings.quote(item) != ""
        # Nothing is found in the front matter.
        assert item.span[0] >= len("---\nname: Ada\n---\n")


async def test_passages_lie_where_they_stand(engine, encoders):
    run = await answer(
        engine, "ask", encoders("bert", "ForQuestionAnswering"), question="Who met whom?"
    )
    assert 1 <= len(run.findings.items) <= 3
    assert all(run.findings.quote(item) == item.label for item in run.findings.items)


@pytest.mark.parametrize("family", ["bert", "roberta"])
async def test_a_gap_is_filled(engine, encoders, family):
    run = await answer(engine, "fill-mask", encoders(family, "ForMaskedLM"), "Angela ___ Zürich.")
    assert len(run.findings.items) == 5
    assert {run.findings.quote(item) for item in run.findings.items} == {"___"}


async def test_two_texts_are_compared(engine, encoders):
    model = encoders("bert", "Model")
    same = await answer(engine, "similarity", model, TEXT, other=TEXT)
    assert same.findings.items[0].score == pytest.approx(1, abs=1e-5)
    other = await answer(engine, "similarity", model, TEXT, other="東京")
    assert other.findings.items[0].score < 0.99

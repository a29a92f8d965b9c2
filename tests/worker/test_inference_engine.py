"""The local engine's words about texts, through the real worker."""

import asyncio
import os
import shutil
import signal

import pytest
import pytest_asyncio

pytest.importorskip("torch", reason="the worker's packages are not installed")

from huggingface_hub import (
    FillMaskOutputElement,
    QuestionAnsweringOutputElement,
    TextClassificationOutputElement,
    TokenClassificationOutputElement,
    ZeroShotClassificationOutputElement,
)

from tests.support.tiny_encoders import ENTITIES, names
from transformers_ls.engines.local import LocalEngine
from transformers_ls.errors import (
    EngineDiedError,
    ModelBrokenError,
    ModelError,
    UsageError,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Angela Merkel met Émile 🙂 in the Café de Zürich,\r\nnear 東京."
LONG = f"{TEXT}\n" * 300


async def render(_folder, _messages):
    raise AssertionError("nothing here is a chat")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    made = LocalEngine(render_chat=render, device="cpu", dtype="float32")
    yield made
    await made.close()


async def until(engine, state):
    async with asyncio.timeout(120):
        changed = asyncio.Event()
        engine.on_change = changed.set
        while engine.status().state != state:
            await changed.wait()
            changed.clear()


async def test_a_classifier(engine, encoders, infer):
    folder = encoders("bert", "ForSequenceClassification", **names("good", "bad", "so so"))
    stages, facts = [], []
    found = await engine.text_classification(
        TEXT, model=str(folder), on_stage=stages.append, on_facts=facts.append
    )
    assert all(isinstance(item, TextClassificationOutputElement) for item in found)
    (expected,) = infer(folder, "text-classification", TEXT)
    assert [(item.label, item.score) for item in found] == [
        (item["label"], pytest.approx(item["score"], abs=1e-6)) for item in expected
    ]
    assert {"loading", "running"} <= {stage.name for stage in stages}
    assert (facts[0].device, facts[0].dtype, facts[0].completion_tokens) == ("cpu", "float32", 0)
    assert facts[0].prompt_tokens > 10
    assert len(await engine.text_classification(TEXT, model=str(folder), top_k=2)) == 2


async def test_sentiment_by_a_model_that_generates(engine, llama):
    found = await engine.text_classification(TEXT, model=str(llama))
    assert all(isinstance(item, TextClassificationOutputElement) for item in found)
    assert {item.label for item in found} == {"positive", "neutral", "negative"}
    assert sum(item.score for item in found) == pytest.approx(1, abs=1e-5)


async def test_labels(engine, encoders, llama):
    nli = encoders("bert", "ForSequenceClassification", **names("contradiction", "entailment"))
    for folder in (nli, llama):
        labels = ["sports", " politics", "sports"]
        found = await engine.zero_shot_classification(TEXT, labels, model=str(folder))
        assert all(isinstance(item, ZeroShotClassificationOutputElement) for item in found)
        assert sorted(item.label for item in found) == ["politics", "sports"]
        assert sum(item.score for item in found) == pytest.approx(1, abs=1e-5)
        several = await engine.zero_shot_classification(
            TEXT, labels, model=str(folder), multi_label=True, hypothesis_template="It is {}!"
        )
        assert sum(item.score for item in several) != pytest.approx(1, abs=1e-5)


async def test_entities(engine, encoders):
    folder = encoders("roberta", "ForTokenClassification", **names(*ENTITIES))
    stages = []
    found = await engine.token_classification(LONG, model=str(folder), on_stage=stages.append)
    assert len(found) > 1000
    assert all(isinstance(item, TokenClassificationOutputElement) for item in found)
    assert all(LONG[item.start : item.end] == item.word for item in found)
    assert {item.entity_group for item in found} <= {"PER", "LOC"}
    assert stages[-1].percent == 100


async def test_answers(engine, encoders):
    folder = encoders("bert", "ForQuestionAnswering")
    found = await engine.question_answering("Who met?", LONG, model=str(folder), top_k=3)
    assert len(found) == 3
    assert all(isinstance(item, QuestionAnsweringOutputElement) for item in found)
    assert all(LONG[item.start : item.end] == item.answer for item in found)
    assert len(await engine.question_answering("Who met?", TEXT, model=str(folder))) == 1


async def test_a_mask(engine, encoders):
    folder = encoders("distilbert", "ForMaskedLM")
    found = await engine.fill_mask("It was <mask>.", model=str(folder), top_k=3)
    assert len(found) == 3
    assert all(isinstance(item, FillMaskOutputElement) for item in found)
    assert all(item.sequence.startswith("It was") for item in found)
    (best,) = await engine.fill_mask("It was [MASK].", model=str(folder), targets=["the"])
    assert best.token_str == "the"


async def test_similarity(engine, encoders):
    folder = encoders("bert", "Model")
    same, other = await engine.sentence_similarity(TEXT, [TEXT, "x y z"], model=str(folder))
    assert same == pytest.approx(1, abs=1e-5)
    assert -1 <= other < 0.999


async def test_what_cannot_be_asked(engine, encoders, llama, pickled, tmp_path):
    bert = str(encoders("bert", "ForMaskedLM"))
    with pytest.raises(ModelError, match=r"cannot find entities.*dslim"):
        await engine.token_classification(TEXT, model=bert)
    with pytest.raises(ModelError, match="LlamaForCausalLM"):
        await engine.fill_mask("[MASK]", model=str(llama))
    with pytest.raises(UsageError, match="no masks"):
        await engine.fill_mask(TEXT, model=bert)
    for labels in ([], ["good", " "]):
        with pytest.raises(UsageError, match="label"):
            await engine.zero_shot_classification(TEXT, labels, model=str(llama))
    with pytest.raises(UsageError, match="place for a label"):
        await engine.zero_shot_classification(
            TEXT, ["a"], model=str(llama), hypothesis_template="It is so."
        )
    with pytest.raises(UsageError, match="question"):
        await engine.question_answering(" ", TEXT, model=bert)
    with pytest.raises(ModelBrokenError, match="pickled"):
        await engine.token_classification(TEXT, model=str(pickled))
    with pytest.raises(ModelError):
        await engine.sentence_similarity(TEXT, ["x"], model=str(tmp_path))
    # All of it left the worker as it was.
    assert await engine.fill_mask("It was [MASK].", model=bert)


async def test_stopping_a_run_stops_the_compute(engine, encoders):
    folder = encoders("bert", "ForTokenClassification", **names(*ENTITIES))
    began = asyncio.Event()

    def listen(stage):
        if stage.percent and stage.name == "running":
            began.set()

    run = engine.token_classification(LONG * 20, model=str(folder), on_stage=listen)
    task = asyncio.create_task(run)
    async with asyncio.timeout(120):
        await began.wait()
    pid = engine.status().pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(engine, "idle")
    assert await engine.token_classification(TEXT, model=str(folder))
    assert engine.status().pid == pid


async def test_killed_in_the_middle_of_a_run(engine, encoders):
    folder = encoders("bert", "ForTokenClassification", **names(*ENTITIES))

    def kill(stage):
        if stage.percent and stage.name == "running":
            os.kill(engine.status().pid, signal.SIGKILL)

    with pytest.raises(EngineDiedError):
        await engine.token_classification(LONG * 20, model=str(folder), on_stage=kill)
    assert await engine.token_classification(TEXT, model=str(folder))


async def test_a_model_that_was_installed_anew(engine, encoders, tmp_path):
    """A folder's new weights are another model, as for those that generate."""
    folder = tmp_path / "model"
    labels = names("good", "bad", "so so")
    shutil.copytree(encoders("bert", "ForSequenceClassification", **labels), folder)
    before = await engine.text_classification(TEXT, model=str(folder))
    shutil.rmtree(folder)
    shutil.copytree(encoders("roberta", "ForSequenceClassification", **labels), folder)
    after = await engine.text_classification(TEXT, model=str(folder))
    assert [item.score for item in before] != [item.score for item in after]

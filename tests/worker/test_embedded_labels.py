"""Sentiment and labels with the embedded chat model and nothing else."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the worker's packages are not installed")

from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.embedded import installed_folder

pytestmark = pytest.mark.models

CASES = json.loads((Path(__file__).parents[1] / "data" / "labels.json").read_text(encoding="utf-8"))


async def render(_folder, _messages):
    raise AssertionError("nothing here is a chat")


@pytest.fixture
async def engine():
    if installed_folder("smollm2-135m") is None:
        pytest.skip("run `transformers-ls models install smollm2-135m`")
    made = LocalEngine(render_chat=render)
    yield made
    await made.close()


async def test_sentiment(engine):
    """Twice as often right as by chance, on texts that were not chosen for it."""
    right = 0
    for text, label in CASES["sentiment"]["texts"]:
        found = await engine.text_classification(text, model="smollm2-135m", top_k=1)
        right += found[0].label == label
    assert right >= 20


@pytest.mark.parametrize(("name", "least"), [("topic", 16), ("intent", 8)])
async def test_labels(name, least, engine):
    labels = CASES[name]["labels"]
    right = 0
    for text, label in CASES[name]["texts"]:
        found = await engine.zero_shot_classification(text, labels, model="smollm2-135m")
        right += found[0].label == label
    assert right >= least

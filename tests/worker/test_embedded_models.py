"""The embedded models themselves, as `transformers-ls models install` makes them."""

import asyncio
import json

import pytest

pytest.importorskip("torch", reason="the worker's packages are not installed")

from transformers_ls.engines.local import LocalEngine
from transformers_ls.hub.embedded import installed_folder
from transformers_ls.hub.facts import model_facts

pytestmark = pytest.mark.models


def folder_of(name):
    folder = installed_folder(name)
    if folder is None:
        pytest.skip(f"{name} is not installed: run `transformers-ls models install {name}`")
    return folder


async def render(_folder, messages):
    [message] = messages
    return (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        f"<|im_end|>\n<|im_start|>user\n{message['content']}<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.fixture
async def engine():
    made = LocalEngine(render_chat=render)
    yield made
    await made.close()


async def collect(stream):
    async with asyncio.timeout(400):
        return [item async for item in stream]


@pytest.mark.parametrize(
    ("name", "kind", "eos", "window"),
    [("smollm2-135m", "chat", 2, 8192), ("gemma3-270m", "base", 1, 32768)],
)
def test_facts(name, kind, eos, window):
    folder = folder_of(name)
    facts = model_facts(folder)
    assert (facts.kind, facts.window, facts.has_weights) == (kind, window, True)
    generation = json.loads((folder / "generation_config.json").read_text())
    ends = generation["eos_token_id"]
    assert eos in (ends if isinstance(ends, list) else [ends])


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        # Digits stand apart, and the two spaces before them stay together.
        ("smollm2-135m", "a  1", [81, 256, 33]),
        ("smollm2-135m", "<|im_start|>user", [1, 4093]),
        ("gemma3-270m", "Hello", [9259]),
    ],
)
def test_ids(name, text, ids):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder_of(name))
    assert tokenizer(text, add_special_tokens=False).input_ids == ids


def test_gemma_begins_with_its_start_token():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder_of("gemma3-270m"))
    assert tokenizer("Hello").input_ids == [2, 9259]


async def test_smollm2_answers_and_stops(engine):
    folder_of("smollm2-135m")
    question = {"role": "user", "content": "What is the capital of France?"}
    items = await collect(engine.chat_completion([question], model="smollm2-135m", max_tokens=60))
    assert "Paris" in "".join(item.choices[0].delta.content for item in items)
    assert items[-1].choices[0].finish_reason == "stop"


async def test_gemma_translates(engine):
    folder_of("gemma3-270m")
    prompt = (
        "English: The cat is sleeping on the sofa.\nFrench: Le chat dort sur le canapé.\n\n"
        "English: How much does this book cost?\nFrench: Combien coûte ce livre ?\n\n"
        "English: The weather is nice today and we are going to the beach.\nFrench:"
    )
    items = await collect(
        engine.text_generation(prompt, model="gemma3-270m", max_new_tokens=40, stop=["\n"])
    )
    assert "plage" in items[-1].generated_text
    assert items[-1].details.finish_reason == "stop_sequence"

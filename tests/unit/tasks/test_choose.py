"""Which model does a task, and how it is asked."""

from __future__ import annotations

import json

import pytest

from transformers_ls.errors import ModelError
from transformers_ls.settings import ModelSettings
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.choose import choose_model


def model(folder, architecture: str, *, chat: bool = False, **config) -> str:
    folder.mkdir()
    values = {"architectures": [architecture], "model_type": "llama"} | config
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "tokenizer.json").write_text("{}")
    # An empty but valid safetensors file: an eight-byte length and a header.
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    if chat:
        (folder / "chat_template.jinja").write_text("{{ messages }}")
    return str(folder)


@pytest.mark.parametrize(
    ("architecture", "config", "kind", "window"),
    [
        ("LlamaForCausalLM", {"max_position_embeddings": 4096}, "base", 4096),
        (
            "BartForConditionalGeneration",
            {"is_encoder_decoder": True, "model_type": "bart", "max_position_embeddings": 1024},
            "seq2seq",
            1024,
        ),
        ("MarianMTModel", {"is_encoder_decoder": True, "model_type": "marian"}, "seq2seq", None),
        (
            "T5ForConditionalGeneration",
            {"is_encoder_decoder": True, "model_type": "t5", "n_positions": 512},
            "t5",
            512,
        ),
    ],
)
def test_how_a_model_is_asked(architecture, config, kind, window, tmp_path):
    name = model(tmp_path / "m", architecture, **config)
    chosen = choose_model(get_task("translate"), ModelSettings(translation=name))
    assert (chosen.name, chosen.kind, chosen.window) == (name, kind, window)


def test_a_template_makes_a_chat_model(tmp_path):
    name = model(tmp_path / "m", "LlamaForCausalLM", chat=True)
    assert choose_model(get_task("generate"), ModelSettings(chat=name)).kind == "chat"


@pytest.mark.parametrize(
    ("architecture", "config", "why"),
    [
        ("BertForSequenceClassification", {"model_type": "bert"}, "does not generate text"),
        ("MarianMTModel", {"is_encoder_decoder": True, "model_type": "marian"}, "cannot do"),
    ],
)
def test_the_wrong_kind_for_a_task_is_told(architecture, config, why, tmp_path):
    name = model(tmp_path / "m", architecture, **config)
    with pytest.raises(ModelError, match=why) as caught:
        choose_model(get_task("generate"), ModelSettings(), name)
    assert "transformers.models.generation" in caught.value.hint


def test_a_text_that_may_fill_the_window(tmp_path):
    name = model(tmp_path / "m", "LlamaForCausalLM", max_position_embeddings=400)
    chosen = choose_model(get_task("summarize"), ModelSettings(), name)
    assert chosen.may_fill("x" * 101)
    assert not chosen.may_fill("x" * 100)

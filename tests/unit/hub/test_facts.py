"""What a config says of a model, before anything is loaded."""

import json

import pytest

from transformers_ls.hub.facts import model_facts


@pytest.mark.parametrize(
    ("architecture", "more", "kind", "embeds"),
    [
        ("LlamaForCausalLM", {}, "base", False),
        ("GPT2LMHeadModel", {}, "base", False),
        ("BertModel", {}, "other", True),
        ("BertForMaskedLM", {}, "other", True),
        ("BertForSequenceClassification", {}, "classifier", False),
        ("T5ForConditionalGeneration", {"is_encoder_decoder": True}, "seq2seq", False),
        ("T5Model", {"is_encoder_decoder": True}, "other", False),
    ],
)
def test_kinds(tmp_path, architecture, more, kind, embeds):
    config = {"model_type": "some", "architectures": [architecture], **more}
    (tmp_path / "config.json").write_text(json.dumps(config))
    facts = model_facts(tmp_path)
    assert (facts.kind, facts.embeds) == (kind, embeds)


def test_a_list_of_modules_is_a_sentence_transformer(tmp_path):
    config = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "modules.json").write_text("[]")
    assert model_facts(tmp_path).embeds

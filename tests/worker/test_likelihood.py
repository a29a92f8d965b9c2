"""Labels by models that generate text: the likelihoods are those of a plain forward pass."""

import inspect

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
)

from tests.support import tiny_families  # noqa: E402
from tests.support.tiny_models import save_model  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402

ZERO_SHOT = "zero-shot-classification"
TEXT = "The quick brown fox, naïve café 🙂."
LABELS = ("sport", "sports", "not urgent", "日本", "a dog jumps over")
# Gemma 2 forgets what is further back than eight tokens in one of its layers, LFM2 has a state that
# cannot be repeated, GPT-2's positions are learned.
FAMILIES = ["llama", "gpt2", "gemma2", "gemma3-seeing", "lfm2"]
LFM2 = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "layer_types": ["conv", "full_attention"],
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}


@pytest.fixture(scope="module")
def folder(models_root):
    made = {}

    def make(family):
        if family not in made:
            made[family] = models_root / f"{family}-of-labels"
            if family == "lfm2":
                made[family].mkdir()
                save_model(made[family], architecture="Lfm2ForCausalLM", **LFM2)
            else:
                tiny_families.build(family, made[family])
        return made[family]

    return make


class Plain:
    """Likelihoods without a cache, one label after the other."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        kind = AutoModelForImageTextToText if "seeing" in folder.name else AutoModelForCausalLM
        self.model = kind.from_pretrained(folder, dtype=torch.float32).eval()

    def likelihood(self, prompt, ending):
        begin = self.tokenizer(prompt, add_special_tokens=False).input_ids
        ids = self.tokenizer(prompt + ending, add_special_tokens=False).input_ids
        shared = next(
            (i for i, (a, b) in enumerate(zip(begin, ids, strict=False)) if a != b), len(begin)
        )
        with torch.inference_mode():
            found = self.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(float(found[place - 1, ids[place]]) for place in range(shared, len(ids)))

    def ratios(self, text, labels, template="This text is about {}."):
        before, _, after = template.partition(" {}")
        return torch.tensor(
            [
                self.likelihood(f"{text}\n\n{before}", f" {label}{after}")
                - self.likelihood(f"N/A\n\n{before}", f" {label}{after}")
                for label in labels
            ]
        )


def scores(value):
    return {item["label"]: item["score"] for item in value}


@pytest.mark.parametrize("family", FAMILIES)
def test_labels(family, folder, infer):
    plain = Plain(folder(family))
    (value,) = infer(folder(family), ZERO_SHOT, TEXT, labels=LABELS)
    expected = plain.ratios(TEXT, LABELS).softmax(0).tolist()
    assert scores(value) == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=1e-4)
    assert sum(scores(value).values()) == pytest.approx(1, abs=1e-5)
    assert [item["score"] for item in value] == sorted(scores(value).values(), reverse=True)


def test_several_labels_may_be_true(folder, infer):
    plain = Plain(folder("llama"))
    (value,) = infer(folder("llama"), ZERO_SHOT, TEXT, labels=LABELS, multi_label=True)
    expected = plain.ratios(TEXT, LABELS).sigmoid().tolist()
    assert scores(value) == pytest.approx(dict(zip(LABELS, expected, strict=True)), abs=1e-4)
    # Alone, a label's score is the same.
    (alone,) = infer(folder("llama"), ZERO_SHOT, TEXT, labels=LABELS[1:2])
    assert scores(alone)["sports"] == pytest.approx(scores(value)["sports"], abs=1e-5)


def test_a_sentence_of_ones_own(folder, infer):
    plain = Plain(folder("gpt2"))
    template = "The sentiment of this text is {}"
    labels = ("positive", "neutral", "negative")
    (value,) = infer(folder("gpt2"), ZERO_SHOT, TEXT, labels=labels, hypothesis=template, top_k=2)
    expected = dict(
        zip(labels, plain.ratios(TEXT, labels, template).softmax(0).tolist(), strict=True)
    )
    assert len(value) == 2
    assert all(item["score"] == pytest.approx(expected[item["label"]], abs=1e-4) for item in value)


def test_a_text_that_is_longer_than_the_window(folder, infer):
    text = f"{TEXT}\n" * 60
    (value,) = infer(folder("llama"), ZERO_SHOT, text, labels=LABELS)
    assert sum(scores(value).values()) == pytest.approx(1, abs=1e-5)
    percents = [stage.percent for stage in infer.stages("running")][1:]
    assert len(percents) > 5
    assert percents == sorted(percents)
    # All of it counts.
    (begin,) = infer(folder("llama"), ZERO_SHOT, text[: len(text) // 2], labels=LABELS)
    assert scores(begin) != scores(value)


def test_labels_that_do_not_fit_beside_each_other(folder, infer, monkeypatch):
    (expected,) = infer(folder("llama"), ZERO_SHOT, TEXT, labels=LABELS)
    models = infer.dispatcher._models
    model = models.get(folder("llama"), lambda *_: None, AloneTurn())[0].model
    forward, refused = model.forward, []

    def crowded(input_ids=None, logits_to_keep=0, **inputs):
        if len(input_ids) > 2:
            refused.append(len(input_ids))
            raise torch.OutOfMemoryError("no more")
        return forward(input_ids=input_ids, logits_to_keep=logits_to_keep, **inputs)

    crowded.__signature__ = inspect.signature(forward)
    monkeypatch.setattr(model, "forward", crowded)
    (value,) = infer(folder("llama"), ZERO_SHOT, TEXT, labels=LABELS)
    assert refused
    assert scores(value) == pytest.approx(scores(expected), abs=1e-4)


def test_a_model_that_transforms_texts(folder, infer):
    with pytest.raises(RunError, match="BartForConditionalGeneration") as caught:
        infer(folder("bart"), ZERO_SHOT, TEXT, labels=LABELS)
    assert "chat model" in caught.value.hint


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_model_that_onnx_runtime_computes(family, folder, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime_genai")
    from transformers import AutoConfig, GenerationConfig

    from transformers_ls_worker import likelihood, onnx_export
    from transformers_ls_worker.device import Placement
    from transformers_ls_worker.encoder import Encoder
    from transformers_ls_worker.loading import LoadedModel
    from transformers_ls_worker.onnx_model import OnnxModel

    made, plain = tmp_path / "made", Plain(folder(family))
    made.mkdir()
    onnx_export.export(folder(family), made, precision="fp32")
    settings = GenerationConfig.from_pretrained(made)
    model = OnnxModel(made, AutoConfig.from_pretrained(made), settings)
    cpu = Placement(torch.device("cpu"), torch.float32)
    encoder = Encoder(
        LoadedModel(model, plain.tokenizer, 256), cpu, lambda: None, lambda _percent: None
    )
    request = wire.Infer("run", "", ZERO_SHOT, (TEXT,), LABELS)
    expected = dict(zip(LABELS, plain.ratios(TEXT, LABELS).softmax(0).tolist(), strict=True))
    (value,) = likelihood.choose(request, encoder)
    assert scores(value) == pytest.approx(expected, abs=1e-3)
    # Where not all labels fit beside each other, the prompt is read again for the next ones.
    monkeypatch.setattr(likelihood, "_CACHED", 2 * 30)
    (value,) = likelihood.choose(request, encoder)
    assert scores(value) == pytest.approx(expected, abs=1e-3)

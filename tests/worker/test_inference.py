"""What encoders say of texts that fit their window: the same as transformers' own pipelines."""

import json
import unicodedata
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from transformers import AutoModelForQuestionAnswering, AutoTokenizer, pipeline  # noqa: E402

from tests.support.tiny_encoders import ENTITIES, FAMILIES, names  # noqa: E402
from transformers_ls_worker.windows import make_frame, tokenize  # noqa: E402

TEXTS = [
    "Angela Merkel met Emmanuel Macron in Zürich.",
    "Émile   🙂👩‍👩‍👧 in\tthe Café,\r\nnear 東京 and 大阪.\n",
    "The [SEP] of </s> and <s> [CLS]!",
    "x",
]


def pairs(items):
    return [(item["label"], pytest.approx(item["score"], abs=1e-6)) for item in items]


def spans(text, entities):
    """What a pipeline found, without the white space that some tokenizers count to a word."""
    found = []
    for entity in entities:
        word = text[entity["start"] : entity["end"]]
        start = entity["start"] + len(word) - len(word.lstrip())
        if word.strip():
            score = pytest.approx(float(entity["score"]), abs=1e-6)
            found.append((entity["entity_group"], start, start + len(word.strip()), score))
    return found


def found_spans(entities):
    return [(e["entity_group"], e["start"], e["end"], e["score"]) for e in entities]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", [*TEXTS, ""])
def test_a_model_gets_what_its_tokenizer_writes(family, text, encoders):
    tokenizer = AutoTokenizer.from_pretrained(encoders(family, "Model"))
    ids = tokenize(tokenizer, text).ids

    def written(*texts):
        encoded = tokenizer(*texts)
        return {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}

    assert make_frame(tokenizer).around(ids) == written(text)
    assert make_frame(tokenizer, "A good a.").around(ids) == written(text, "A good a.")
    asked = make_frame(tokenizer, "Is a good?", other_first=True)
    # For the tokenizers an empty second text is none.
    assert not text or asked.around(ids) == written("Is a good?", text)


@pytest.mark.parametrize("family", FAMILIES)
def test_entities(family, encoders, infer):
    folder = encoders(family, "ForTokenClassification", **names(*ENTITIES))
    strategy = "first" if family in ("bert", "distilbert") else "simple"
    reference = pipeline("token-classification", str(folder), aggregation_strategy=strategy)
    values = infer(folder, "token-classification", *TEXTS)
    compared = 0
    for text, value in zip(TEXTS, values, strict=True):
        assert all(entity["word"] == text[entity["start"] : entity["end"]] for entity in value)
        expected = spans(text, reference(text))
        # Of a character of several tokens the pipeline may make two entities at the same place.
        if all(one[2] <= other[1] for one, other in pairwise(expected)):
            assert found_spans(value) == expected
            compared += len(expected)
    assert compared > 5


def test_a_combining_mark_does_not_join_words(encoders, infer):
    """The pipeline takes a word whose token is shorter than its text for the end of the last one."""
    folder = encoders("bert", "ForTokenClassification", **names(*ENTITIES))
    composed = "The Émile, the Café: Zürich über the Größe."
    marked = unicodedata.normalize("NFD", composed)
    assert len(marked) > len(composed)
    one, other = infer(folder, "token-classification", composed, marked)
    assert len(one) > 2
    assert [e["score"] for e in other] == [pytest.approx(e["score"], abs=1e-6) for e in one]
    assert [unicodedata.normalize("NFC", e["word"]) for e in other] == [e["word"] for e in one]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier(family, encoders, infer):
    folder = encoders(family, "ForSequenceClassification", **names("good", "bad", "so so"))
    reference = pipeline("text-classification", str(folder))
    values = infer(folder, "text-classification", *TEXTS)
    assert [pairs(value) for value in values] == [
        [(item["label"], item["score"]) for item in reference(text, top_k=None)] for text in TEXTS
    ]
    (best,) = infer(folder, "text-classification", TEXTS[0], top_k=1)
    assert pairs(best) == [(values[0][0]["label"], values[0][0]["score"])]


@pytest.mark.parametrize(
    "config",
    [
        {"problem_type": "multi_label_classification", **names("spam", "rude")},
        {"problem_type": "regression", "num_labels": 1},
        {"num_labels": 1},
    ],
)
def test_a_classifier_of_another_kind(config, encoders, infer):
    folder = encoders("bert", "ForSequenceClassification", **config)
    reference = pipeline("text-classification", str(folder))
    (value,) = infer(folder, "text-classification", TEXTS[0])
    expected = reference(TEXTS[0], top_k=None)
    assert pairs(value) == [(item["label"], item["score"]) for item in expected]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kinds", [("contradiction", "neutral", "entailment"), ("ENTAIL", "not")])
def test_labels_by_entailment(family, kinds, encoders, infer):
    folder = encoders(family, "ForSequenceClassification", **names(*kinds))
    reference = pipeline("zero-shot-classification", str(folder))
    for labels in (("good", "bad", "a thing of Paris"), ("good",)):
        for multi_label in (False, True):
            options = {"multi_label": multi_label, "labels": labels}
            values = infer(folder, "zero-shot-classification", *TEXTS, **options)
            for text, value in zip(TEXTS, values, strict=True):
                expected = reference(text, list(labels), multi_label=multi_label)
                assert pairs(value) == list(
                    zip(expected["labels"], expected["scores"], strict=True)
                )


def test_a_hypothesis(encoders, infer):
    kinds = names("contradiction", "neutral", "entailment")
    folder = encoders("bert", "ForSequenceClassification", **kinds)
    reference = pipeline("zero-shot-classification", str(folder))
    template = "The sentiment is {}!"
    expected = reference(TEXTS[0], ["good", "bad"], hypothesis_template=template)
    options = {"labels": ("good", "bad"), "hypothesis": template}
    (value,) = infer(folder, "zero-shot-classification", TEXTS[0], **options)
    assert pairs(value) == list(zip(expected["labels"], expected["scores"], strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mask(family, encoders, infer):
    folder = encoders(family, "ForMaskedLM")
    reference = pipeline("fill-mask", str(folder))
    text = f"The capital\r\nof {reference.tokenizer.mask_token} is Größe 🙂, was it?"
    (value,) = infer(folder, "fill-mask", text)
    expected = reference(text)
    assert len(value) == 5
    for ours, theirs in zip(value, expected, strict=True):
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-6)
        assert (ours["token"], ours["token_str"]) == (theirs["token"], theirs["token_str"])
        # The pipeline writes the text anew, in small letters if the model knows no others.
        assert ours["sequence"].endswith(" is Größe 🙂, was it?")
        assert ours["sequence"].startswith("The capital\r\nof")
    other = (
        text.replace("[MASK]", "<mask>") if "[MASK]" in text else text.replace("<mask>", "[MASK]")
    )
    assert infer(folder, "fill-mask", other) == [value]
    assert infer(folder, "fill-mask", text, top_k=2) == [value[:2]]


def test_words_for_a_mask(encoders, infer):
    folder = encoders("bert", "ForMaskedLM")
    reference = pipeline("fill-mask", str(folder))
    expected = reference("It was [MASK].", targets=["the", "a", "it"])
    (value,) = infer(folder, "fill-mask", "It was [MASK].", labels=("the", "a", "it"))
    assert [item["token_str"] for item in value] == [item["token_str"] for item in expected]
    assert value[0]["score"] == pytest.approx(expected[0]["score"], abs=1e-6)
    assert value[0]["sequence"] == f"It was {expected[0]['token_str']}."


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_in_the_text(family, encoders, infer):
    folder = encoders(family, "ForQuestionAnswering")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    question, text = "Who met?", "Angela met Émile in Zürich, 🙂 near 東京."
    encoded = tokenizer(question, text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        output = model(**encoded)
    starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
    inside = [place for place, of in enumerate(encoded.sequence_ids(0)) if of == 1]
    scores = {(i, j): starts[i] + ends[j] for i in inside for j in inside if i <= j < i + 30}
    nowhere = starts[0] + ends[0]
    whole = torch.tensor([*scores.values(), nowhere]).logsumexp(0)
    (first, last), best = max(scores.items(), key=lambda item: item[1])
    word = text[offsets[first][0] : offsets[last][1]]

    (value,) = infer(folder, "question-answering", text, question=question)
    assert [item["answer"] for item in value] == [word.strip()]
    assert value[0]["score"] == pytest.approx(float((best - whole).exp()), abs=1e-6)
    assert text[value[0]["start"] : value[0]["end"]] == word.strip()

    (more,) = infer(folder, "question-answering", text, question=question, top_k=4)
    assert more[0] == value[0]
    taken = sorted((item["start"], item["end"]) for item in more)
    assert len(taken) > 1
    assert all(one[1] <= other[0] for one, other in pairwise(taken))
    assert [item["score"] for item in more] == sorted((i["score"] for i in more), reverse=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vector(family, encoders, infer):
    folder = encoders(family, "Model")
    reference = pipeline("feature-extraction", str(folder), return_tensors=True)
    values = infer(folder, "feature-extraction", *TEXTS)
    for text, value in zip(TEXTS, values, strict=True):
        mean = torch.nn.functional.normalize(reference(text)[0].mean(0), dim=0)
        assert torch.allclose(torch.tensor(value), mean, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "pool"),
    [
        ("pooling_mode_cls_token", lambda hidden: hidden[0]),
        ("pooling_mode_lasttoken", lambda hidden: hidden[-1]),
        ("pooling_mode_max_tokens", lambda hidden: hidden.max(0).values),
        ("pooling_mode_mean_sqrt_len_tokens", lambda hidden: hidden.mean(0) * len(hidden) ** 0.5),
        (
            "pooling_mode_weightedmean_tokens",
            lambda hidden: sum((i + 1) * row for i, row in enumerate(hidden)),
        ),
    ],
)
def test_the_pooling_of_sentence_transformers(mode, pool, encoders, infer):
    folder = encoders("bert", "Model", copy=mode)
    layout(folder, mode, "Transformer", "Pooling", "Normalize")
    reference = pipeline("feature-extraction", str(folder), return_tensors=True)
    values = infer(folder, "feature-extraction", *TEXTS)
    for text, value in zip(TEXTS, values, strict=True):
        pooled = torch.nn.functional.normalize(pool(reference(text)[0]), dim=0)
        assert torch.allclose(torch.tensor(value), pooled, atol=1e-6)


def test_a_dense_layer_of_sentence_transformers(encoders, infer):
    from safetensors.torch import save_file

    folder = encoders("bert", "Model", copy="dense")
    layout(folder, "pooling_mode_mean_tokens", "Transformer", "Pooling", "Dense")
    torch.manual_seed(1)
    layer = torch.nn.Linear(32, 8)
    save_file(
        {"linear.weight": layer.weight.detach(), "linear.bias": layer.bias.detach()},
        folder / "2_Dense" / "model.safetensors",
    )
    settings = {"activation_function": "torch.nn.modules.activation.Tanh"}
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    reference = pipeline("feature-extraction", str(folder), return_tensors=True)
    (value,) = infer(folder, "feature-extraction", TEXTS[0])
    with torch.inference_mode():
        expected = layer(reference(TEXTS[0])[0].mean(0)).tanh()
    expected = torch.nn.functional.normalize(expected, dim=0)
    assert torch.allclose(torch.tensor(value), expected, atol=1e-6)


def layout(folder, mode, *kinds):
    modules = [
        {
            "type": f"sentence_transformers.models.{kind}",
            "path": f"{number}_{kind}" if number else "",
        }
        for number, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    for module in modules[1:]:
        (folder / module["path"]).mkdir()
    settings = {"pooling_mode_mean_tokens": False, mode: True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))

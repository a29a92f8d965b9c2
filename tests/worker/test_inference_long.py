"""Texts that are longer than the window: read whole, and nothing cut or found twice."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

import transformers  # noqa: E402

from tests.support.tiny_encoders import ENTITIES, FAMILIES, WINDOW, names  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402
from transformers_ls_worker.windows import Tokens, cut  # noqa: E402

LONG = "".join(
    f"{number}. Angela Merkel met Émile 🙂 in the Café de Zürich,\r\nnear 東京 and Größe.\n"
    for number in range(30)
)
LABELS = names("contradiction", "neutral", "entailment")


class Reference:
    """The model of a folder, and the windows of a text as the tokenizer itself would cut them."""

    def __init__(self, folder, auto_class):
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.model = getattr(transformers, auto_class).from_pretrained(folder).eval()

    def windows(self, *texts, room):
        """Yield windows of the last text: what the model says of each, and whose tokens they are."""
        tokenizer = self.tokenizer
        encoded = tokenizer(texts[-1], add_special_tokens=False, return_offsets_mapping=True)
        words = encoded.word_ids(0)
        for window in cut(Tokens(encoded.input_ids, encoded.offset_mapping, words), room):
            inputs = tokenizer(*texts[:-1], "a", return_tensors="pt")
            ids = inputs["input_ids"][0].tolist()
            (inner,) = {tuple(tokenizer("a", add_special_tokens=False).input_ids)}
            place = max(i for i in range(len(ids)) if tuple(ids[i : i + len(inner)]) == inner)
            part = encoded.input_ids[window.start : window.end]
            row = ids[:place] + part + ids[place + len(inner) :]
            given = {"input_ids": torch.tensor([row]), "attention_mask": torch.ones(1, len(row))}
            if "token_type_ids" in inputs:
                kinds = inputs["token_type_ids"][0].tolist()
                inside = [kinds[place]] * len(part)
                whole = kinds[:place] + inside + kinds[place + len(inner) :]
                given["token_type_ids"] = torch.tensor([whole])
            with torch.inference_mode():
                yield window, self.model(**given), place, encoded.offset_mapping


def overhead(tokenizer):
    return tokenizer.num_special_tokens_to_add()


@given(
    words=st.lists(st.integers(1, 40), max_size=80),
    room=st.integers(16, 200),
    known=st.booleans(),
)
def test_windows_answer_for_each_token_once(words, room, known):
    ids = [number for number, length in enumerate(words) for _ in range(length)]
    windows = cut(Tokens(list(ids), None, list(ids) if known else None), room)
    assert windows[0].own_start == windows[0].start == 0
    assert windows[-1].own_end == windows[-1].end == len(ids)
    assert all(w.start <= w.own_start <= w.own_end <= w.end for w in windows)
    assert all(w.end - w.start <= room for w in windows)
    for one, other in pairwise(windows):
        assert one.own_end == other.own_start
        assert other.start < one.end < other.end
        # Each token has some of its surroundings on both sides.
        margin = min(128, room // 4) // 4
        assert one.end - one.own_end >= margin
        assert other.own_start - other.start >= margin


def test_windows_end_between_words():
    ids = [number // 3 for number in range(600)]
    windows = cut(Tokens(ids, None, ids), 100)
    edges = {w.start for w in windows} | {w.own_start for w in windows} | {w.end for w in windows}
    assert all(edge % 3 == 0 for edge in edges)


def test_no_room_for_the_text(encoders, infer):
    folder = encoders("bert", "ForQuestionAnswering")
    with pytest.raises(RunError, match="leaves room for") as caught:
        infer(folder, "question-answering", LONG, question="Why? " * 100)
    assert caught.value.code == "prompt-too-long"


@pytest.mark.parametrize("family", FAMILIES)
def test_entities_of_a_long_text(family, encoders, infer):
    folder = encoders(family, "ForTokenClassification", **names(*ENTITIES))
    (entities,) = infer(folder, "token-classification", LONG)
    assert len(entities) > 30
    for entity in entities:
        assert entity["word"] == LONG[entity["start"] : entity["end"]] == entity["word"].strip()
    assert all(one["end"] <= other["start"] for one, other in pairwise(entities))
    # Each token's label comes from its own window.
    reference = Reference(folder, "AutoModelForTokenClassification")
    labels: dict[int, set[str]] = {}
    room = WINDOW - overhead(reference.tokenizer)
    for window, output, place, offsets in reference.windows(LONG, room=room):
        best = output.logits[0].argmax(-1).tolist()
        for token in range(window.own_start, window.own_end):
            label = ENTITIES[best[place + token - window.start]]
            labels.setdefault(offsets[token][0], set()).add(label[-3:])
    assert len(labels) > 10 * WINDOW / 4
    known = [entity for entity in entities if entity["start"] in labels]
    assert len(known) > 30
    assert all(entity["entity_group"] in labels[entity["start"]] for entity in known)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_averages_windows(family, encoders, infer):
    folder = encoders(family, "ForSequenceClassification", **names("good", "bad", "so so"))
    (value,) = infer(folder, "text-classification", LONG)
    reference = Reference(folder, "AutoModelForSequenceClassification")
    total, weight = torch.zeros(3), 0
    room = WINDOW - overhead(reference.tokenizer)
    for window, output, _, _ in reference.windows(LONG, room=room):
        own = window.own_end - window.own_start
        total += own * output.logits[0].softmax(-1)
        weight += own
    expected = dict(zip(("good", "bad", "so so"), (total / weight).tolist(), strict=True))
    assert {item["label"]: item["score"] for item in value} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vector_averages_windows(family, encoders, infer):
    folder = encoders(family, "Model")
    (value,) = infer(folder, "feature-extraction", LONG)
    reference = Reference(folder, "AutoModel")
    total = torch.zeros(32)
    room = WINDOW - overhead(reference.tokenizer)
    for window, output, _, _ in reference.windows(LONG, room=room):
        total += (window.own_end - window.own_start) * output.last_hidden_state[0].mean(0)
    expected = torch.nn.functional.normalize(total, dim=0)
    assert torch.allclose(torch.tensor(value), expected, atol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta", "deberta"])
def test_an_answer_anywhere_in_a_long_text(family, encoders, infer):
    folder = encoders(family, "ForQuestionAnswering")
    (answers,) = infer(folder, "question-answering", LONG, question="Who met?", top_k=5)
    reference = Reference(folder, "AutoModelForQuestionAnswering")
    scores: dict[tuple[int, int], float] = {}
    nowhere = float("inf")
    taken = len(reference.tokenizer("Who met?", "a").input_ids) - len(
        reference.tokenizer("a", add_special_tokens=False).input_ids
    )
    for window, output, place, _ in reference.windows("Who met?", LONG, room=WINDOW - taken):
        starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
        nowhere = min(nowhere, starts[0] + ends[0])
        shift = place - window.start
        for first in range(window.own_start, window.own_end):
            for last in range(first, min(first + 30, window.end)):
                scores[first, last] = starts[first + shift] + ends[last + shift]
    (first, last), best = max(scores.items(), key=lambda item: item[1])
    whole = torch.tensor([*scores.values(), nowhere]).logsumexp(0)
    assert answers[0]["score"] == pytest.approx(float((best - whole).exp()), rel=1e-3)
    tokens = reference.tokenizer(LONG, add_special_tokens=False, return_offsets_mapping=True)
    answer = LONG[tokens.offset_mapping[first][0] : tokens.offset_mapping[last][1]].strip()
    assert answers[0]["answer"].startswith(answer)
    assert all(LONG[item["start"] : item["end"]] == item["answer"] for item in answers)


def test_labels_of_a_long_text(encoders, infer):
    folder = encoders("bert", "ForSequenceClassification", **LABELS)
    options = {"labels": ("good", "bad", "of a thing")}
    (value,) = infer(folder, "zero-shot-classification", LONG, **options)
    assert sum(item["score"] for item in value) == pytest.approx(1, abs=1e-5)
    # A text is more than its beginning.
    (start,) = infer(folder, "zero-shot-classification", LONG[:100], **options)
    assert [item["score"] for item in value] != [item["score"] for item in start]


def test_a_mask_in_a_long_text(encoders, infer):
    """The model sees the window around the mask, wherever it is."""
    folder = encoders("bert", "ForMaskedLM")
    reference = transformers.pipeline("fill-mask", str(folder))
    for place in (0, len(LONG) // 2, len(LONG)):
        text = f"{LONG[:place]} [MASK] {LONG[place:]}"
        (value,) = infer(folder, "fill-mask", text)
        ids = reference.tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        room = WINDOW - 2
        mask = ids.index(reference.tokenizer.mask_token_id)
        start = max(0, min(mask - room // 2, len(ids) - room))
        row = torch.tensor([[2, *ids[start : start + room], 3]])
        with torch.inference_mode():
            logits = reference.model(input_ids=row).logits[0, 1 + mask - start]
        expected = logits.softmax(-1).topk(5)
        assert [item["token"] for item in value] == expected.indices.tolist()
        assert value[0]["score"] == pytest.approx(float(expected.values[0]), abs=1e-6)
        assert value[0]["sequence"].startswith(LONG[:place])
        assert value[0]["sequence"].endswith(LONG[place:])


@pytest.mark.parametrize("family", FAMILIES)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    text=st.text(
        st.one_of(
            st.sampled_from("aeiou \n\r\tABC.,"),
            st.sampled_from("é\u0301\u0308\u200d🙂👩\ufe0f東京ñß"),
            st.characters(exclude_categories=("Cs",)),
        ),
        max_size=300,
    )
)
def test_places_are_places_of_the_text(family, text, encoders, infer):
    folder = encoders(family, "ForTokenClassification", **names("B-A", "B-B", "I-A", "I-B"))
    (entities,) = infer(folder, "token-classification", text)
    for entity in entities:
        start, end = entity["start"], entity["end"]
        assert 0 <= start < end <= len(text)
        assert text[start:end] == entity["word"] == entity["word"].strip()
        assert 0 < entity["score"] <= 1
    assert all(one["end"] <= other["start"] for one, other in pairwise(entities))

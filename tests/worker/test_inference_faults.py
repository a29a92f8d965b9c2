"""What goes wrong with runs that say something of texts: stopped, too large, of the wrong kind."""

import inspect
import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support import tiny_families  # noqa: E402
from tests.support.tiny_encoders import ENTITIES, names  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402

LONG = "Angela Merkel met Émile in the Café. " * 600
NER = "token-classification"


class Counting(AloneTurn):
    """Counts how often the run would let others compute; stops it after some time."""

    def __init__(self, last=None):
        super().__init__(lambda: last is not None and self.asked >= last)
        self.asked = 0

    def give_way(self, *, at_once=False):
        self.asked += 1


@pytest.fixture(scope="module")
def ner(encoders):
    return encoders("bert", "ForTokenClassification", **names(*ENTITIES))


def test_batches_change_nothing(ner, infer):
    texts = ["Angela met Émile.", "x", "The Café de Zürich is near Größe. " * 3, "", LONG[:2000]]
    together = infer(ner, NER, *texts)
    assert sum(map(len, together)) > 20
    for text, value in zip(texts, together, strict=True):
        (alone,) = infer(ner, NER, text)
        assert [(e["entity_group"], e["start"], e["end"]) for e in value] == [
            (e["entity_group"], e["start"], e["end"]) for e in alone
        ]
        assert [e["score"] for e in value] == pytest.approx([e["score"] for e in alone], abs=1e-5)


def test_a_long_run_tells_how_far_it_is_and_lets_others_compute(ner, infer):
    turn = Counting()
    infer(ner, NER, LONG, turn=turn)
    percents = [stage.percent for stage in infer.stages("running")]
    assert percents[0] is None
    assert percents[1:] == sorted(percents[1:])
    assert len(percents) > 3
    assert percents[-1] == 100
    assert turn.asked > 2 * len(percents)
    assert infer.done.finish_reason == "eos"
    assert infer.done.prompt_tokens > 5000
    # A short one is one batch, of which nothing is to be told.
    infer(ner, NER, "Angela")
    assert [stage.percent for stage in infer.stages("running")] == [None]


def test_many_entities_come_in_parts(ner, infer):
    (value,) = infer(ner, NER, LONG * 2)
    frames = [frame for frame in infer.sent if isinstance(frame, wire.Output)]
    assert len(value) > 1000
    assert len(frames) == -(-len(value) // 1000)
    assert max(len(wire.encode(frame)) for frame in frames) < 1024 * 1024


@pytest.mark.parametrize("last", [0, 1, 3, 8, 14])
def test_an_abort_at_any_time(last, ner, infer):
    infer(ner, NER, "warm")
    turn = Counting(last)
    assert infer(ner, NER, LONG, turn=turn) == [[]]
    assert infer.done.finish_reason == "abort"
    # It is heard before the next layer.
    assert turn.asked <= last + 1
    assert infer(ner, NER, "Angela Merkel met Émile.") != [[]]


def test_an_abort_while_loading(encoders, infer):
    folder = encoders("bert", "ForTokenClassification", copy="abort", **names(*ENTITIES))
    assert infer(folder, NER, "x", turn=AloneTurn(lambda: True)) == [[]]
    assert infer.done.finish_reason == "abort"


def test_what_does_not_fit_is_halved(ner, infer, monkeypatch):
    expected = infer(ner, NER, LONG)
    model = infer.model(ner, NER)
    forward, sizes = model.forward, []

    def crowded(**inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > 3:
            raise torch.OutOfMemoryError("no more")
        return forward(**inputs)

    crowded.__signature__ = inspect.signature(forward)
    monkeypatch.setattr(model, "forward", crowded)
    (value,) = infer(ner, NER, LONG)
    assert [(e["start"], e["end"]) for e in value] == [(e["start"], e["end"]) for e in expected[0]]
    # Once was enough to learn it.
    assert sum(size > 3 for size in sizes) <= 4
    assert max(sizes) > 3


def test_no_memory_at_all(ner, infer, monkeypatch):
    model = infer.model(ner, NER)

    def full(**_):
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(model, "forward", full)
    with pytest.raises(RunError) as caught:
        infer(ner, NER, "Angela")
    assert caught.value.code == "out-of-memory"


WRONG = [
    (NER, "ForMaskedLM", "cannot find entities: it is a BertForMaskedLM", "dslim/bert-base-NER"),
    ("text-classification", "ForTokenClassification", "cannot classify texts", "sst-2"),
    ("zero-shot-classification", "ForMaskedLM", "cannot judge", "bart-large-mnli"),
    ("question-answering", "ForSequenceClassification", "cannot find an answer", "squad2"),
    ("fill-mask", "ForSequenceClassification", "cannot fill a mask", "bert-base-uncased"),
    ("feature-extraction", "ForQuestionAnswering", "cannot tell how alike", "all-MiniLM-L6-v2"),
]


@pytest.mark.parametrize(("task", "head", "message", "hint"), WRONG)
def test_a_model_of_the_wrong_kind(task, head, message, hint, encoders, infer):
    folder = encoders("bert", head)
    with pytest.raises(RunError, match=message) as caught:
        infer(folder, task, "x", labels=("a", "b"), question="who?")
    assert caught.value.code == "model-unfit"
    assert hint in caught.value.hint


@pytest.mark.parametrize("task", [task for task, *_ in WRONG if task != "zero-shot-classification"])
def test_a_model_that_generates(task, llama, infer):
    with pytest.raises(RunError, match="it is a LlamaForCausalLM") as caught:
        infer(llama, task, "x", question="who?")
    assert caught.value.code == "model-unfit"


@pytest.mark.parametrize("task", [NER, "zero-shot-classification", "feature-extraction"])
def test_a_model_that_transforms(task, models_root, infer):
    folder = models_root / "transforms"
    if not folder.exists():
        tiny_families.build("bart", folder)
    with pytest.raises(RunError, match="BartForConditionalGeneration"):
        infer(folder, task, "x", labels=("a",))


def test_a_head_that_was_never_trained(encoders, infer, tmp_path):
    """The config may promise what the weights do not hold: transformers would make it up."""
    source = encoders("bert", "ForMaskedLM")
    folder = tmp_path / "promises"
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    for architectures in (["BertForTokenClassification"], None):
        (folder / "config.json").write_text(json.dumps({**config, "architectures": architectures}))
        with pytest.raises(
            RunError, match=r"was not trained to find entities.*classifier"
        ) as caught:
            infer(folder, NER, "x")
        assert caught.value.code == "model-unfit"
    # Its vectors are trained.
    assert len(infer(folder, "feature-extraction", "x")[0]) == 32


def test_weights_that_are_a_pickle(pickled, infer):
    with pytest.raises(RunError, match="pickled") as caught:
        infer(pickled, NER, "x")
    assert caught.value.code == "weights-refused"
    assert not (pickled / "executed").exists()


def test_a_classifier_that_does_not_judge(encoders, infer):
    folder = encoders("bert", "ForSequenceClassification", **names("good", "bad", "so so"))
    with pytest.raises(RunError, match="no label `entailment`") as caught:
        infer(folder, "zero-shot-classification", "x", labels=("a", "b"))
    assert caught.value.code == "model-unfit"


def test_no_labels(llama, infer):
    with pytest.raises(RunError, match="no labels"):
        infer(llama, "zero-shot-classification", "x")


def test_an_adapter_for_what_generates_nothing(ner, infer):
    with pytest.raises(RunError, match="has an adapter"):
        infer(ner, NER, "x", adapter=str(ner))


@pytest.mark.parametrize(("text", "count"), [("no mask", "no"), ("[MASK] and <mask> [MASK]", "3")])
def test_not_one_mask(text, count, encoders, infer):
    folder = encoders("bert", "ForMaskedLM")
    text = text.replace("<mask>", "[MASK]")
    with pytest.raises(RunError, match=f"The text has {count} masks") as caught:
        infer(folder, "fill-mask", text)
    assert caught.value.code == "text-unfit"
    assert "[MASK]" in caught.value.hint


def test_a_word_that_no_mask_holds(encoders, infer):
    folder = encoders("bert", "ForMaskedLM")
    with pytest.raises(RunError, match="single token") as caught:
        infer(folder, "fill-mask", "It was [MASK].", labels=("the", "unbelievably"))
    assert "unbelievably" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("Pooling", {}, "not known here"),
        ("LSTM", {}, "LSTM"),
        ("Dense", {"activation_function": "torch.nn.Softsign"}, "no safetensors"),
    ],
)
def test_vectors_that_are_pooled_in_an_unknown_way(kind, settings, message, encoders, infer):
    folder = encoders("bert", "Model", copy=f"unknown {kind}")
    (folder / "part").mkdir()
    (folder / "part" / "config.json").write_text(json.dumps(settings))
    modules = [{"type": f"sentence_transformers.models.{kind}", "path": "part"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(RunError, match=message):
        infer(folder, "feature-extraction", "x")

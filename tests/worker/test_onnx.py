"""Decoders that ONNX Runtime computes: the same tokens as transformers', and torch where it cannot."""

import json
import os
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")
pytest.importorskip("onnxruntime_genai", reason="the extra 'cpu' is not installed")

from tests.support import tiny_families, tiny_gguf  # noqa: E402
from tests.support.tiny_models import save_model  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import onnx_export, onnx_session, wire  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.dispatch import Dispatcher  # noqa: E402
from transformers_ls_worker.failures import RunAborted  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402
from transformers_ls_worker.onnx_export import UnsupportedModelError  # noqa: E402
from transformers_ls_worker.onnx_model import OnnxModel  # noqa: E402
from transformers_ls_worker.onnx_store import OnnxStore  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
PROMPT = list(range(10, 30))
FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    # The shared one has heads of eight numbers; the engine's have sixteen or a multiple.
    return tiny_families.build("llama", tmp_path_factory.mktemp("models") / "llama")


def save_calm(folder, **more):
    """Save a Llama of weights as small as trained ones, so that rounding them changes no answer much."""
    folder.mkdir()
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    save_model(folder, "LlamaForCausalLM", **sizes, **heads, **more)
    return folder


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "llama"
    return save_calm(folder, bos_token_id=1, eos_token_id=None, pad_token_id=0)


def original(folder, **options):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()


def made_of(source, folder, precision="fp32"):
    from transformers import AutoConfig, GenerationConfig

    folder.mkdir()
    onnx_export.export(source, folder, precision=precision)
    config = AutoConfig.from_pretrained(folder)
    return OnnxModel(folder, config, GenerationConfig.from_pretrained(folder))


@pytest.mark.parametrize("tied", [True, False])
def test_tied_weights_are_kept_once(tied, tmp_path):
    import onnx

    folder = save_calm(tmp_path / "model", tie_word_embeddings=tied)
    made = made_of(folder, tmp_path / "made", "int8")
    graph = onnx.load(tmp_path / "made" / onnx_session.GRAPH, load_external_data=False).graph
    tables = [t.name for t in graph.initializer if t.name == "model.embed_tokens.weight"]
    assert tables == ([] if tied else ["model.embed_tokens.weight"])
    # Each token by itself: its row of the table is all that tells it from the others.
    model = original(folder)
    for ids in torch.arange(model.config.vocab_size)[:, None]:
        with torch.no_grad():
            expected = model(input_ids=ids[None]).logits[0, -1]
        found = made(ids[None], torch.ones(1, 1, dtype=torch.long))[0]
        assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > 0.999


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_transformers_for_one_row_and_for_several(family, tmp_path):
    folder = tiny_families.build(family, tmp_path / family)
    model, made = original(folder), made_of(folder, tmp_path / "made")
    rows = torch.tensor([PROMPT, [0] * 8 + PROMPT[3:15]])
    mask = torch.tensor([[1] * 20, [0] * 8 + [1] * 12])
    for ids, seen in ((rows[:1], mask[:1]), (rows, mask)):
        options = {"attention_mask": seen, "max_new_tokens": 30, "do_sample": False}
        expected = model.generate(ids, **options, pad_token_id=0)
        assert made.generate(ids, **options, pad_token_id=0).tolist() == expected.tolist()


def test_sampling_and_penalties_are_those_of_transformers(llama, tmp_path):
    model, made = original(llama), made_of(llama, tmp_path / "made")
    options = {
        "attention_mask": torch.ones(1, 20, dtype=torch.long),
        "max_new_tokens": 20,
        "do_sample": True,
        "temperature": 2.0,
        "repetition_penalty": 1.3,
        "pad_token_id": 0,
    }
    torch.manual_seed(5)
    expected = model.generate(torch.tensor([PROMPT]), **options)
    torch.manual_seed(5)
    assert made.generate(torch.tensor([PROMPT]), **options).tolist() == expected.tolist()


def test_a_gguf_file_is_computed_as_transformers_reads_it(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    file = tiny_gguf.write_gguf(tmp_path / "tiny.gguf", scratch)
    model, made = original(tmp_path, gguf_file=file.name), made_of(file, tmp_path / "made")
    ids = torch.tensor([PROMPT])
    with torch.no_grad():
        expected = model(input_ids=ids).logits[0, -1]
    found = made(ids, torch.ones_like(ids))[0]
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_long_prompts_and_answers_are_computed_in_parts(llama, tmp_path, monkeypatch):
    model, made = original(llama), made_of(llama, tmp_path / "made")
    monkeypatch.setattr(onnx_session, "_AT_ONCE", 7)
    monkeypatch.setattr(onnx_session, "_ROOM", 2)
    ids = torch.tensor([PROMPT])
    options = {"max_new_tokens": 40, "do_sample": False, "pad_token_id": 0}
    options["attention_mask"] = torch.ones_like(ids)
    assert made.generate(ids, **options).tolist() == model.generate(ids, **options).tolist()


def test_rows_go_on_from_one_prompt(llama, tmp_path):
    model, made = original(llama), made_of(llama, tmp_path / "made")
    session = made.begin(torch.ones(1, len(PROMPT)))
    session.step(torch.tensor([PROMPT]))
    session.spread(2)
    tails = torch.tensor([[5, 9], [31, 40]])
    found = torch.stack([session.step(column[:, None]) for column in tails.T], 1)
    with torch.no_grad():
        whole = torch.cat([torch.tensor([PROMPT, PROMPT]), tails], dim=1)
        expected = model(input_ids=whole).logits[:, -2:]
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_eight_bits_are_close_enough(calm, tmp_path):
    made_of(calm, tmp_path / "made", "int8")
    facts = json.loads((tmp_path / "made" / "facts.json").read_text())
    assert facts["weights"] == "int8"
    assert 0 < facts["divergence"] < 0.02


def test_a_graph_that_would_say_something_else_is_refused(llama, tmp_path, monkeypatch):
    other = original(llama)
    torch.nn.init.normal_(other.get_output_embeddings().weight)
    other.save_pretrained(tmp_path / "other")
    build = onnx_export._build

    def build_other(folder, *rest):
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(folder / name, tmp_path / "other")
        build(tmp_path / "other", *rest)

    monkeypatch.setattr(onnx_export, "_build", build_other)
    with pytest.raises(UnsupportedModelError, match="differ"):
        made_of(llama, tmp_path / "made")


@pytest.mark.parametrize(
    ("family", "why"),
    [("gpt2", "architecture"), ("mistral", "window"), ("opt", "architecture")],
)
def test_models_that_the_builder_does_not_know(family, why, tmp_path):
    with pytest.raises(UnsupportedModelError, match=why):
        made_of(tiny_families.build(family, tmp_path / family), tmp_path / "made")


def test_a_long_prompt_can_be_left_before_it_is_computed(llama, tmp_path):
    made = made_of(llama, tmp_path / "made")

    def leave(*_):
        raise RunAborted

    (asks,) = (module for module in made.modules() if isinstance(module, torch.nn.Identity))
    asks.register_forward_pre_hook(leave)
    ids = torch.tensor([PROMPT * 100])
    session = made.begin(torch.ones_like(ids))
    with pytest.raises(RunAborted):
        session.step(ids)


def no_abort():
    pass


def test_the_store_makes_a_graph_once_and_again_when_the_model_changes(calm, tmp_path):
    folder = shutil.copytree(calm, tmp_path / "llama")
    store = OnnxStore(tmp_path / "store", smallest=0)
    told = []
    loaded = store.load(folder, told.append, no_abort)
    assert loaded.dtype_name == "int8 (ONNX Runtime)"
    assert {20, 70} & set(told)
    told.clear()
    assert store.load(folder, told.append, no_abort) is not None
    assert told == []
    first = list((tmp_path / "store").iterdir())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes())
    assert store.load(folder, told.append, no_abort) is not None
    assert told
    assert list((tmp_path / "store").iterdir()) != first
    assert len(first) == 1


def test_a_damaged_graph_leaves_the_model_to_torch_and_is_made_again(calm, tmp_path, caplog):
    store = OnnxStore(tmp_path / "store", smallest=0)
    store.load(calm, lambda _: None, no_abort)
    (graph,) = (tmp_path / "store").glob("*/model.onnx")
    graph.write_text("<")
    assert store.load(calm, lambda _: None, no_abort) is None
    assert "cannot be read" in caplog.text
    assert store.load(calm, lambda _: None, no_abort) is not None


def test_a_model_that_cannot_be_computed_is_left_to_torch_and_not_tried_again(
    llama, tmp_path, caplog
):
    folder = shutil.copytree(llama, tmp_path / "llama")
    config = json.loads((folder / "config.json").read_text())
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config | {"rope_parameters": rope}))
    store = OnnxStore(tmp_path / "store", smallest=0)
    told = []
    assert store.load(folder, told.append, no_abort) is None
    assert "positions depend on the length" in caplog.text
    told.clear()
    assert store.load(folder, told.append, no_abort) is None
    assert told == []


def test_an_abort_ends_the_making_and_leaves_nothing(llama, tmp_path):
    def abort():
        raise RunAborted

    with pytest.raises(RunAborted):
        OnnxStore(tmp_path / "store", smallest=0).load(llama, lambda _: None, abort)
    assert list((tmp_path / "store").iterdir()) == []


def test_what_a_killed_process_left_is_removed_when_it_is_old(llama, tmp_path):
    folder = tmp_path / "store"
    for name in (".making-old", ".making-new"):
        (folder / name).mkdir(parents=True)
    os.utime(folder / ".making-old", (0, 0))
    OnnxStore(folder, smallest=0).load(llama, lambda _: None, no_abort)
    assert [path.name for path in folder.glob(".*")] == [".making-new"]


def test_small_models_and_encoder_decoders_stay_with_torch(llama, tmp_path):
    store = OnnxStore(tmp_path / "store")
    assert store.load(llama, lambda _: None, no_abort) is None
    bart = tiny_families.build("bart", tmp_path / "bart")
    store = OnnxStore(tmp_path / "store", smallest=0)
    assert store.load(bart, lambda _: None, no_abort) is None
    assert not (tmp_path / "store").exists()


def test_a_run_says_what_computed_it(calm, tmp_path):
    models = Models(CPU, None, OnnxStore(tmp_path / "store", smallest=0))
    sent = []
    request = wire.Generate("r", str(calm), "The quick", others=("x",), max_new_tokens=12)
    done = generate(request, models, CPU, sent.append, AloneTurn())
    assert (done.device, done.dtype) == ("cpu", "int8 (ONNX Runtime)")
    assert done.completion_tokens == 24
    assert any(isinstance(frame, wire.Delta) for frame in sent)


def test_the_dispatcher_leaves_the_package_alone_without_a_folder(llama):
    done = Dispatcher(CPU)(
        wire.Generate("r", str(llama), "The", max_new_tokens=2), lambda _: None, AloneTurn()
    )
    assert done.dtype == "float32"

"""Decoders that OpenVINO computes: the same tokens as transformers', and torch where it cannot."""

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")
openvino = pytest.importorskip("openvino", reason="the extra 'cpu' is not installed")

from tests.support import tiny_families, tiny_gguf  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import openvino_export, wire  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.dispatch import Dispatcher  # noqa: E402
from transformers_ls_worker.failures import RunAborted  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402
from transformers_ls_worker.openvino_graph import UnsupportedModelError  # noqa: E402
from transformers_ls_worker.openvino_model import OpenVinoModel, Session  # noqa: E402
from transformers_ls_worker.openvino_store import OpenVinoStore  # noqa: E402
from transformers_ls_worker.openvino_weights import shrink  # noqa: E402

# The graph is made by tracing, which torch means to replace and which warns of each branch it takes.
pytestmark = pytest.mark.filterwarnings(
    "ignore::torch.jit.TracerWarning",
    "ignore:.*torch.jit:DeprecationWarning",
    "ignore:.*gradient_checkpointing:FutureWarning",
)

CPU = Placement(torch.device("cpu"), torch.float32)
EXACT = openvino_export.EXACT
PROMPT = list(range(10, 30))
FAMILIES = ("llama", "qwen2", "qwen3", "mistral", "phi", "gemma2", "gemma3", "gpt2", "opt")


def unchanged(_graph):
    return {}


def original(folder, **options):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()


def made_of(source, folder, make_small=unchanged):
    from transformers import AutoConfig, GenerationConfig

    folder.mkdir()
    openvino_export.export(source, folder, make_small=make_small)
    config = AutoConfig.from_pretrained(folder)
    return OpenVinoModel(folder, config, GenerationConfig.from_pretrained(folder), **EXACT)


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
    found = Session(made, torch.ones_like(ids)).step(ids)[0]
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4)


def matrix_graph(rows):
    from openvino import opset13 as op

    ids = op.parameter([-1, rows.shape[1]], openvino.Type.f32, name="x")
    product = op.matmul(ids, op.constant(rows), False, True)
    return openvino.Model([product], [ids])


def product(graph, values):
    compiled = openvino.Core().compile_model(graph, "CPU", EXACT)
    return compiled([values])[0]


def test_a_matrix_of_sixteen_values_in_each_group_is_stored_in_four_bits_without_loss():
    numbers = np.random.default_rng(1)
    levels = numbers.integers(0, 16, (64, 8, 32))
    levels[..., :2] = 0, 15
    scale = numbers.uniform(0.001, 0.01, (64, 8, 1)).astype(np.float16).astype(np.float32)
    rows = ((levels - numbers.uniform(4, 11, (64, 8, 1))) * scale).reshape(64, 256)
    rows = torch.from_numpy(rows).bfloat16().float().numpy()
    graph = matrix_graph(rows)
    assert shrink(graph) == {"u4": rows.size, "i8": 0}
    found = product(graph, np.eye(256, dtype=np.float32)).T
    largest = np.abs(rows.reshape(64, 8, 32)).max(axis=-1, keepdims=True)
    assert (np.abs(found - rows).reshape(64, 8, 32) <= largest * 2**-6.9).all()


def test_any_other_matrix_gets_eight_bits():
    rows = np.random.default_rng(1).normal(size=(64, 256)).astype(np.float32)
    graph = matrix_graph(rows)
    assert shrink(graph) == {"u4": 0, "i8": rows.size}
    found = product(graph, np.eye(256, dtype=np.float32)).T
    step = np.abs(rows).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - rows) <= 0.6 * step).all()


def test_a_graph_that_would_say_something_else_is_refused(llama, tmp_path):
    def spoil(graph):
        from openvino import opset13 as op

        for node in graph.get_ordered_ops():
            if node.get_type_name() == "Constant" and list(node.get_output_shape(0)) == [32, 32]:
                other = op.constant(np.ones((32, 32), dtype=np.float32))
                for reader in list(node.output(0).get_target_inputs()):
                    reader.replace_source_output(other.output(0))
        return {}

    with pytest.raises(UnsupportedModelError, match="differ"):
        made_of(llama, tmp_path / "made", spoil)


def test_the_making_sends_no_telemetry(llama, tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("telemetry was started")

    monkeypatch.setattr("openvino_telemetry.Telemetry.__init__", forbidden)
    made_of(llama, tmp_path / "made")


def test_a_long_prompt_can_be_left_before_it_is_computed(llama, tmp_path, monkeypatch):
    made = made_of(llama, tmp_path / "made")
    monkeypatch.setattr("transformers_ls_worker.openvino_model._ASK_MILLISECONDS", 0)

    def leave(*_):
        raise RunAborted

    made.waits[0].register_forward_pre_hook(leave)
    ids = torch.tensor([PROMPT * 100])
    session = Session(made, torch.ones_like(ids))
    with pytest.raises(RunAborted):
        session.step(ids)


def no_abort():
    pass


def test_the_store_makes_a_graph_once_and_again_when_the_model_changes(llama, tmp_path):
    folder = shutil.copytree(llama, tmp_path / "llama")
    store = OpenVinoStore(tmp_path / "store", smallest=0)
    told = []
    loaded = store.load(folder, told.append, no_abort)
    assert loaded.dtype_name == "i8 (OpenVINO)"
    assert {20, 60, 80} & set(told)
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


def test_a_damaged_graph_leaves_the_model_to_torch_and_is_made_again(llama, tmp_path, caplog):
    store = OpenVinoStore(tmp_path / "store", smallest=0)
    store.load(llama, lambda _: None, no_abort)
    (graph,) = (tmp_path / "store").glob("*/graph.xml")
    graph.write_text("<")
    assert store.load(llama, lambda _: None, no_abort) is None
    assert "cannot be read" in caplog.text
    assert store.load(llama, lambda _: None, no_abort) is not None


def test_a_model_that_cannot_be_computed_is_left_to_torch_and_not_tried_again(
    llama, tmp_path, caplog
):
    folder = shutil.copytree(llama, tmp_path / "llama")
    config = json.loads((folder / "config.json").read_text())
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    (folder / "config.json").write_text(json.dumps(config | {"rope_parameters": rope}))
    store = OpenVinoStore(tmp_path / "store", smallest=0)
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
        OpenVinoStore(tmp_path / "store", smallest=0).load(llama, lambda _: None, abort)
    assert list((tmp_path / "store").iterdir()) == []


def test_small_models_and_encoder_decoders_stay_with_torch(llama, tmp_path):
    store = OpenVinoStore(tmp_path / "store")
    assert store.load(llama, lambda _: None, no_abort) is None
    bart = tiny_families.build("bart", tmp_path / "bart")
    store = OpenVinoStore(tmp_path / "store", smallest=0)
    assert store.load(bart, lambda _: None, no_abort) is None
    assert not (tmp_path / "store").exists()


def test_a_run_says_what_computed_it(llama, tmp_path):
    models = Models(CPU, None, OpenVinoStore(tmp_path / "store", smallest=0))
    sent = []
    request = wire.Generate("r", str(llama), "The quick", others=("x",), max_new_tokens=12)
    done = generate(request, models, CPU, sent.append, AloneTurn())
    assert (done.device, done.dtype) == ("cpu", "i8 (OpenVINO)")
    assert done.completion_tokens == 24
    assert any(isinstance(frame, wire.Delta) for frame in sent)


def test_the_dispatcher_leaves_the_package_alone_without_a_folder(llama):
    done = Dispatcher(CPU)(
        wire.Generate("r", str(llama), "The", max_new_tokens=2), lambda _: None, AloneTurn()
    )
    assert done.dtype == "float32"

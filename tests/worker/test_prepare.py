"""A model is made ready for the CPU once, before its first task, where the packages are there."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="the worker's packages are not installed")
pytest.importorskip("onnxruntime_genai", reason="the extra 'cpu' is not installed")

from tests.support.tiny_models import save_model
from transformers_ls.hub import preparation
from transformers_ls.paths import prepared_dir
from transformers_ls_worker import onnx_store


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    folder.mkdir()
    # Large enough that the store takes it: 70 MB in float32.
    save_model(
        folder,
        "LlamaForCausalLM",
        hidden_size=512,
        intermediate_size=6000,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    return folder


def test_it_is_prepared_once(model):
    told = []
    preparation.prepare_for_cpu(model, lambda *stage: told.append(stage))
    assert told[0] == ("prepare", 0, 100)
    assert told[-1] == ("prepare", 100, 100)
    (made,) = prepared_dir().glob("model-*/facts.json")
    assert json.loads(made.read_text())["weights"] == "int8"
    assert made == onnx_store.OnnxStore(prepared_dir())._made(model) / "facts.json"
    told.clear()
    preparation.prepare_for_cpu(model, lambda *stage: told.append(stage))
    assert told == []
    others = prepared_dir() / made.parent.name.replace("model-", "model-of-another-name-")
    others.mkdir()
    preparation.forget_prepared(model)
    assert [*prepared_dir().glob("model-*")] == [others]


def test_a_model_that_cannot_be_prepared_is_left_to_torch(model):
    (model / "model.safetensors").write_bytes(b"cut off")
    preparation.prepare_for_cpu(model, lambda *_: None)
    assert list(prepared_dir().glob("*/facts.json")) == []


def test_it_can_be_stopped(model):
    def stop(_stage, percent, _total):
        if percent:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preparation.prepare_for_cpu(model, stop)


def test_the_module_needs_no_graph_where_the_packages_are_missing(model, tmp_path):
    code = (
        "import sys; sys.modules['onnxruntime_genai'] = None\n"
        "from transformers_ls_worker import prepare\n"
        f"sys.exit(prepare.main([{str(model)!r}, {str(tmp_path / 'made')!r}]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert not (tmp_path / "made").exists()

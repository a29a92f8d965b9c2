"""`doctor` says what this machine has and what fits, and is right about the models in memory."""

import json
import sys

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_models import random_llama  # noqa: E402
from transformers_ls.cli import main  # noqa: E402
from transformers_ls.cli._doctor_output import print_report  # noqa: E402
from transformers_ls.engines.fit import cache_bytes_per_token  # noqa: E402
from transformers_ls.engines.machine import look_at_machine  # noqa: E402
from transformers_ls.errors import EngineUnavailableError  # noqa: E402


def cached(root, name, **options):
    """Put a model into a Hub cache, as `hf download` would."""
    repo = root / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("a" * 40)
    folder = repo / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    return random_llama(folder, **options)


@pytest.fixture
def own_folders(tmp_path, monkeypatch):
    for name in ("CACHE", "DATA"):
        monkeypatch.setenv(f"TRANSFORMERS_LS_{name}", str(tmp_path / name))
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    return hub


def test_the_report(own_folders, capsys):
    folder = cached(own_folders, "us/tiny")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    assert ended.value.code == 0
    report = json.loads(capsys.readouterr().out)
    machine = report["machine"]
    assert machine["processor"]["cores"] >= 1
    assert 0 < machine["memory"]["free"] <= machine["memory"]["total"]
    assert (machine["device"], machine["dtype"]) == (
        report["worker"]["device"],
        report["worker"]["dtype"],
    )
    assert "accelerate" in machine["packages"]
    assert report["packages"]["torch"] == torch.__version__
    sizes = list(report["fits"].values())
    assert sizes == sorted(sizes)
    models = {model["name"]: model for model in report["models"]}
    assert models["smollm2-135m"]["folder"] is None
    tiny = models["us/tiny"]
    itemsize = 4 if machine["dtype"] == "float32" else 2
    assert tiny["fits"] is True
    assert tiny["weightBytes"] * 4 // itemsize < (folder / "model.safetensors").stat().st_size
    assert tiny["cacheBytesPerToken"] == 2 * 2 * 2 * 8 * itemsize

    print_report(report)
    table = capsys.readouterr().out
    assert "models install smollm2-135m" in table
    assert "fits" in table


def test_the_cache_is_as_large_as_the_formula_says(llama, gpt2):
    from transformers import AutoModelForCausalLM, DynamicCache

    for folder in (llama, gpt2):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        cache = DynamicCache(config=model.config)
        model(torch.ones((1, 10), dtype=torch.long), past_key_values=cache, use_cache=True)
        size = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        assert cache_bytes_per_token(folder, 4) * 10 == size


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_machine_that_cannot_be_looked_at(tmp_path, capsys):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named torch' >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(EngineUnavailableError, match=r"No module named torch.*worker"):
        look_at_machine(python=str(python))
    report = {
        **dict.fromkeys(("transformersLs", "python", "system", "dataFolder", "cacheFolder"), ""),
        "packages": {"torch": None},
        "worker": {"state": "fails", "message": "It fails."},
        "machine": {"problem": "It cannot be looked at."},
        "fits": {},
        "models": [],
    }
    print_report(report)
    assert "It cannot be looked at." in capsys.readouterr().out

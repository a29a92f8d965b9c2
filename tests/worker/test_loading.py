"""What cannot be loaded is told with what to do, nothing of a stranger runs, and the next run works."""

import errno
import json
import os
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_gguf import write_gguf  # noqa: E402
from tests.support.tiny_models import save_tokenizer  # noqa: E402
from tests.worker.test_batches import run  # noqa: E402
from transformers_ls.engines.local import LocalEngine  # noqa: E402
from transformers_ls.errors import ModelError, TransformersLsError  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


@pytest.fixture
def folder(llama, tmp_path):
    """A copy of a good model, to be spoilt."""
    return shutil.copytree(llama, tmp_path / "spoilt")


def change(folder, name="config.json", **values):
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def refused(models, folder, llama):
    """Return why a model is refused; the next run of another one works."""
    with pytest.raises(RunError) as raised:
        run(models, folder, "x", max_new_tokens=2)
    assert raised.value.hint
    assert raised.value.code != "internal"
    assert folder.name in raised.value.message
    assert str(folder) not in raised.value.message
    assert run(models, llama, "x", max_new_tokens=2)[2].completion_tokens == 2
    return raised.value


def cut(data):
    return data[: len(data) // 2]


@pytest.mark.parametrize("spoil", [cut, lambda _: b"", lambda data: b"\xff" * len(data)])
def test_damaged_weights(spoil, models, folder, llama):
    weights = folder / "model.safetensors"
    weights.write_bytes(spoil(weights.read_bytes()))
    error = refused(models, folder, llama)
    assert error.code == "model-broken"
    assert "again" in error.hint


def test_weights_of_other_shapes(models, folder, llama):
    change(folder, hidden_size=64)
    error = refused(models, folder, llama)
    assert "shapes" in error.message


def test_missing_shards(models, llama, folder, capfd):
    from transformers import LlamaForCausalLM

    (folder / "model.safetensors").unlink()
    LlamaForCausalLM.from_pretrained(llama).save_pretrained(folder, max_shard_size="40KB")
    whole = run(models, folder, "x", max_new_tokens=4)[0]
    assert whole == run(models, llama, "x", max_new_tokens=4)[0]
    (folder / "model-00002-of-00004.safetensors").unlink()
    error = refused(models, folder, llama)
    assert "model-00002-of-00004.safetensors" in error.message
    (folder / "model.safetensors.index.json").write_text("{")
    assert "index.json" in refused(models, folder, llama).message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"model_type": "llama",', "cannot be read"),
        ("[1]", "no JSON object"),
        ("{}", "`model_type`"),
        ('{"model_type": "no_such_kind"}', "architecture"),
        ('{"model_type": "llama", "hidden_size": "large"}', "cannot be loaded"),
    ],
)
def test_broken_configs(text, words, models, folder, llama):
    (folder / "config.json").write_text(text)
    error = refused(models, folder, llama)
    assert words in error.message


@pytest.mark.parametrize("text", [None, '{"x":', "{}"])
def test_broken_tokenizers(text, models, folder, llama):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    if text is not None:
        (folder / "tokenizer.json").write_text(text)
    error = refused(models, folder, llama)
    assert "tokenizer" in error.message


def test_a_tokenizer_of_another_model(models, folder, llama):
    save_tokenizer(folder, vocabulary=400)
    change(folder, "tokenizer_config.json", bos_token="<|start|>")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    # A token far beyond the model's, at the beginning of every prompt.
    tokenizer["added_tokens"].append(
        {**tokenizer["added_tokens"][0], "id": 5000, "content": "<|far|>"}
    )
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(RunError, match="knows only 320") as raised:
        run(models, folder, "<|far|> x", max_new_tokens=2)
    assert raised.value.code == "model-broken"


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "BertForMaskedLM", "BertModel"])
def test_a_model_of_another_kind(name, models, folder, llama):
    import transformers

    config = transformers.BertConfig(
        vocab_size=320, hidden_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    shutil.rmtree(folder)
    getattr(transformers, name)(config).save_pretrained(folder)
    save_tokenizer(folder)
    error = refused(models, folder, llama)
    assert error.code == "model-unfit"
    assert name in error.message
    assert "chat" in error.hint


CODE = """
open({proof!r}, "w")
from transformers import LlamaConfig as Config, LlamaForCausalLM as Model
from transformers import PreTrainedTokenizerFast as Tokenizer
"""
REMOTE = {
    "a model of its own": {
        "model_type": "homemade",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    },
    "a known kind": {
        "auto_map": {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.Config"}
    },
}


@pytest.fixture
def evil(folder):
    """A folder whose Python files leave a mark when they run."""
    proof = folder / "executed"
    for name in ("evil.py", "custom_generate/generate.py", "modeling_llama.py", "torch.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(CODE.format(proof=str(proof)))
    yield folder
    assert not proof.exists()


def test_code_of_an_unknown_kind_is_refused(models, evil, llama):
    change(evil, **REMOTE["a model of its own"])
    error = refused(models, evil, llama)
    assert error.code == "weights-refused"
    assert "never run" in error.message


def test_code_beside_a_known_kind_is_not_needed(models, evil, llama):
    """transformers has the architecture: its own code is used, the repository's left alone."""
    change(evil, **REMOTE["a known kind"])
    change(evil, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})
    assert (
        run(models, evil, "x", max_new_tokens=4)[0] == run(models, llama, "x", max_new_tokens=4)[0]
    )


def test_a_tokenizer_of_own_code_is_refused(models, evil, llama):
    change(
        evil,
        "tokenizer_config.json",
        tokenizer_class="HomemadeTokenizer",
        auto_map={"AutoTokenizer": ["evil.Tokenizer", None]},
    )
    try:
        run(models, evil, "x", max_new_tokens=2)
    except RunError as error:
        assert error.code == "weights-refused"


def test_pickles_by_another_name_are_refused(models, folder, llama):
    """transformers would load one that the config names so."""
    proof = json.dumps(str(folder / "executed"))
    pickle = f"cbuiltins\nexec\n(S'open({proof}, \"w\")'\ntR.".encode()
    (folder / "adapter_model.bin").write_bytes(pickle)
    change(folder, transformers_weights="adapter_model.bin")
    assert refused(models, folder, llama).code == "weights-refused"
    assert not (folder / "executed").exists()


def test_a_full_disk(models, folder, llama, monkeypatch):
    from transformers import AutoTokenizer

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "x"))

    with monkeypatch.context() as patch:
        patch.setattr(AutoTokenizer, "from_pretrained", full)
        with pytest.raises(RunError, match="disk is full") as raised:
            run(models, folder, "x", max_new_tokens=2)
    assert "Free some space" in raised.value.hint
    assert run(models, folder, "x", max_new_tokens=2)[2].completion_tokens == 2


def test_a_folder_that_changes(models, folder, llama, gpt2):
    first = run(models, folder, "The quick", max_new_tokens=8)[0]
    # A new version takes the old one's place, as installers do it.
    new = shutil.copytree(gpt2, folder.parent / "new")
    shutil.rmtree(folder)
    new.rename(folder)
    second = run(models, folder, "The quick", max_new_tokens=8)[0]
    assert second == run(models, gpt2, "The quick", max_new_tokens=8)[0] != first
    # A file is written over in its place, and is not whole yet.
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    assert refused(models, folder, llama).code == "model-broken"
    weights.write_bytes(whole)
    assert run(models, folder, "The quick", max_new_tokens=8)[0] == second
    shutil.rmtree(folder)
    assert refused(models, folder, llama).code == "model-not-found"


NEEDS = {
    "torchao": {"quant_type": {"default": {"_type": "Int8WeightOnlyConfig", "_version": 1}}},
    "bitsandbytes": {"load_in_4bit": True},
    "gptq": {"bits": 4, "group_size": 32},
    "awq": {"bits": 4, "group_size": 32},
    "compressed-tensors": {},
    "hqq": {},
    "quanto": {},
    "fbgemm_fp8": {},
    "higgs": {},
}


@pytest.mark.parametrize("method", NEEDS)
def test_quantized_weights_that_cannot_run_here(method, models, folder, llama, monkeypatch):
    """The message names the package that is missing, or that it takes a GPU."""
    package = {"gptq": "optimum", "awq": "gptqmodel", "quanto": "quanto"}.get(method, method)
    package = package.replace("-", "_")
    import importlib.util

    if importlib.util.find_spec(package) is not None or torch.cuda.is_available():
        pytest.skip(f"{package} or a GPU is here")
    change(folder, quantization_config={"quant_method": method, **NEEDS[method]})
    error = refused(models, folder, llama)
    assert f"quantized with {method}" in error.message
    named = package.replace("_", "").lower()
    assert (
        named in error.message.replace("_", "").replace("-", "").lower() or "GPU" in error.message
    )
    assert error.code in ("packages-missing", "model-broken")
    assert ("Install" in error.hint) == (error.code == "packages-missing")


def quantization(method):
    """Return settings that quantize a model when it is loaded, with a package that may be here."""
    pytest.importorskip(method, reason=f"{method} is not installed")
    from transformers import BitsAndBytesConfig, TorchAoConfig

    if method == "torchao":
        from torchao.quantization import Int8WeightOnlyConfig

        return TorchAoConfig(Int8WeightOnlyConfig())
    return BitsAndBytesConfig(load_in_8bit=True)


@pytest.mark.parametrize("method", ["torchao", "bitsandbytes"])
def test_quantized_weights(method, models, llama, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    settings = quantization(method)
    model = AutoModelForCausalLM.from_pretrained(
        llama, dtype=torch.float32, quantization_config=settings
    )
    folder = tmp_path / method
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(llama).save_pretrained(folder)
    again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer("The quick", return_tensors="pt", return_token_type_ids=False)
    ids = again.generate(**inputs, max_new_tokens=12, do_sample=False)[0]
    (ours,), *_ = run(models, folder, "The quick", max_new_tokens=12)
    assert tokenizer.decode(ids, skip_special_tokens=True) == f"The quick{ours}"


def test_a_gguf_file(models, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (tmp_path / "scratch").mkdir()
    path = write_gguf(tmp_path / "tiny.gguf", tmp_path / "scratch")
    model = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    inputs = tokenizer("The quick", return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0]
    (ours,), *_ = run(models, path, "The quick", max_new_tokens=12)
    prompt = tokenizer.decode(inputs.input_ids[0], skip_special_tokens=True)
    assert tokenizer.decode(ids, skip_special_tokens=True) == prompt + ours
    cut_off = tmp_path / "cut.gguf"
    cut_off.write_bytes(path.read_bytes()[:500])
    with pytest.raises(RunError) as raised:
        run(models, cut_off, "x", max_new_tokens=2)
    assert raised.value.code == "model-broken"
    assert raised.value.hint


async def test_the_worker_stays_up(llama, gpt2, pickled, tmp_path):
    """From the message of the worker to the error that the front shows, in one worker."""
    bad = shutil.copytree(llama, tmp_path / "bad")
    weights = bad / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    remote = shutil.copytree(llama, tmp_path / "remote")
    change(remote, **REMOTE["a model of its own"])
    engine = LocalEngine(render_chat=None, device="cpu", dtype="float32")

    async def text(model):
        stream = engine.text_generation("x", model=str(model), max_new_tokens=4)
        return [item async for item in stream][-1].generated_text

    try:
        expected = await text(llama)
        pid = engine.status().pid
        for model in (bad, pickled, remote, tmp_path / "nothing"):
            with pytest.raises(TransformersLsError) as raised:
                await text(model)
            assert isinstance(raised.value, ModelError)
            assert raised.value.hint
            assert await text(llama) == expected
        assert engine.status().pid == pid
    finally:
        await engine.close()

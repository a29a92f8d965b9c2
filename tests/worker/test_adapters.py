"""A model with a PEFT adapter answers as peft's own model does, and what is no adapter is told."""

import json
import shutil
import sys

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")
pytest.importorskip("peft", reason="the worker's packages are not installed")

from tests.support.tiny_adapters import lora  # noqa: E402
from tests.support.tiny_models import random_llama, save_tokenizer  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from tests.worker.test_batches import run  # noqa: E402
from tests.worker.test_families import TEXTS, TOKENS, Reference  # noqa: E402
from transformers_ls.engines.local import LocalEngine  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
pytestmark = [
    # peft asks a model for something by its old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`"),
    pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`"),
]


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


@pytest.fixture(scope="module")
def adapter(llama, tmp_path_factory):
    return lora(tmp_path_factory.mktemp("adapters") / "tiny-lora", llama)


def reference(base, adapter, *, tokens=0):
    """What peft's own model answers."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if tokens:
        model.resize_token_embeddings(model.config.vocab_size + tokens, mean_resizing=False)
    return Reference(base, PeftModel.from_pretrained(model, adapter))


def test_greedy(models, llama, adapter):
    expected = [reference(llama, adapter)(text) for text in TEXTS]
    options = {"adapter": str(adapter), "max_new_tokens": TOKENS}
    for text, answer in zip(TEXTS, expected, strict=True):
        (ours,), _, done = run(models, llama, text, **options)
        assert (ours, done.completion_tokens) == answer
    answers, *_ = run(models, llama, *TEXTS, **options)
    assert answers == [text for text, _ in expected]
    base, *_ = run(models, llama, *TEXTS, max_new_tokens=TOKENS)
    assert base == [Reference(llama)(text)[0] for text in TEXTS]
    assert base != answers


def test_sampling(models, llama, adapter):
    options = {"max_new_tokens": TOKENS, "temperature": 1.3, "seed": 5}
    (ours,), *_ = run(models, llama, TEXTS[0], adapter=str(adapter), **options)
    answer = reference(llama, adapter)
    torch.manual_seed(5)
    assert answer(TEXTS[0], do_sample=True, temperature=1.3)[0] == ours


def test_several_adapters_of_a_base(models, llama, adapter, tmp_path):
    other = lora(tmp_path / "other", llama, seed=2, use_dora=True)
    answers = {}
    for folder in (adapter, other, adapter):
        text = run(models, llama, TEXTS[0], adapter=str(folder), max_new_tokens=TOKENS)[0]
        assert answers.setdefault(folder, text) == text
    assert answers[adapter] != answers[other]
    assert answers[other] == [reference(llama, other)(TEXTS[0])[0]]


def test_an_adapter_with_more_tokens(models, llama, tmp_path):
    folder = lora(tmp_path / "larger", llama, tokens=7)
    (ours,), *_ = run(models, llama, TEXTS[0], adapter=str(folder), max_new_tokens=TOKENS)
    assert ours == reference(llama, folder, tokens=7)(TEXTS[0])[0]
    loaded, _ = models.get(llama, lambda *_: None, AloneTurn(), folder)
    assert loaded.vocabulary == 327


def test_its_tokenizer_is_used_when_it_has_one(models, llama, adapter, tmp_path):
    folder = shutil.copytree(adapter, tmp_path / "own")
    save_tokenizer(folder, vocabulary=280)
    loaded, _ = models.get(llama, lambda *_: None, AloneTurn(), folder)
    assert len(loaded.tokenizer) == 280
    assert len(models.get(llama, lambda *_: None, AloneTurn(), adapter)[0].tokenizer) == 320


def test_a_trained_again_adapter_is_loaded_again(models, llama, tmp_path):
    folder = lora(tmp_path / "again", llama, seed=3)
    first, *_ = run(models, llama, TEXTS[0], adapter=str(folder), max_new_tokens=TOKENS)
    shutil.rmtree(folder)
    lora(folder, llama, seed=4)
    second, *_ = run(models, llama, TEXTS[0], adapter=str(folder), max_new_tokens=TOKENS)
    assert first != second == [reference(llama, folder)(TEXTS[0])[0]]


def refused(models, base, folder):
    with pytest.raises(RunError) as raised:
        run(models, base, "x", adapter=str(folder), max_new_tokens=2)
    assert raised.value.hint
    # And the next run of the base works.
    assert run(models, base, "x", max_new_tokens=2)[2].completion_tokens == 2
    return raised.value


def test_pickled_adapters_are_refused(models, llama, adapter, tmp_path):
    folder = shutil.copytree(adapter, tmp_path / "pickled")
    (folder / "adapter_model.safetensors").unlink()
    proof = json.dumps(str(folder / "executed"))
    pickle = f"cbuiltins\nexec\n(S'open({proof}, \"w\")'\ntR.".encode()
    (folder / "adapter_model.bin").write_bytes(pickle)
    assert refused(models, llama, folder).code == "weights-refused"
    # Nor inside a model's folder, where transformers itself would look for it.
    whole = shutil.copytree(llama, tmp_path / "whole")
    for name in ("adapter_config.json", "adapter_model.bin"):
        shutil.copy(folder / name, whole)
    with pytest.raises(RunError) as raised:
        run(models, whole, "x")
    assert raised.value.code == "weights-refused"
    assert not (folder / "executed").exists()


def test_an_adapter_of_another_model(models, llama, gpt2, adapter, tmp_path):
    (tmp_path / "deep-llama").mkdir()
    deep = random_llama(tmp_path / "wide", layers=3)
    error = refused(models, gpt2, adapter)
    assert error.code == "model-broken"
    assert "GPT2LMHeadModel" in error.message
    assert refused(models, deep, adapter).code == "model-broken"
    assert refused(models, llama, lora(tmp_path / "deep", deep)).code == "model-broken"


def test_broken_adapters(models, llama, adapter, tmp_path):
    cut = shutil.copytree(adapter, tmp_path / "cut")
    weights = cut / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:300])
    assert refused(models, llama, cut).code == "model-broken"
    garbled = shutil.copytree(adapter, tmp_path / "garbled")
    (garbled / "adapter_config.json").write_text("{")
    assert "adapter_config.json" in refused(models, llama, garbled).message
    (garbled / "adapter_config.json").write_text('{"peft_type": "NOTHING"}')
    assert refused(models, llama, garbled).code == "model-broken"
    (garbled / "adapter_config.json").unlink()
    assert refused(models, llama, garbled).code == "model-not-found"


def test_what_would_import_code_by_name(models, llama, adapter, tmp_path):
    folder = shutil.copytree(adapter, tmp_path / "megatron")
    config = json.loads((folder / "adapter_config.json").read_text())
    config |= {"megatron_config": {"x": 1}, "megatron_core": "evil"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert refused(models, llama, folder).code == "weights-refused"


def test_prompt_tuning_is_told(models, llama, tmp_path):
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    get_peft_model(model, config).save_pretrained(tmp_path / "prompt")
    error = refused(models, llama, tmp_path / "prompt")
    assert "PROMPT_TUNING" in error.message
    assert "LoRA" in error.hint


def test_without_peft(models, llama, adapter, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    folder = shutil.copytree(adapter, tmp_path / "another")
    error = refused(models, llama, folder)
    assert error.code == "packages-missing"
    assert "pip install peft" in error.hint


async def test_by_name(llama, adapter):
    """From the name that a user writes to the answer, in the real worker."""
    engine = LocalEngine(render_chat=None, device="cpu", dtype="float32")
    try:
        for name in (f"{llama}+{adapter}", str(adapter)):
            stream = engine.text_generation(TEXTS[0], model=name, max_new_tokens=TOKENS)
            *_, last = [item async for item in stream]
            assert last.generated_text == reference(llama, adapter)(TEXTS[0])[0]
    finally:
        await engine.close()

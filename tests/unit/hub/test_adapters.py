"""A model with an adapter: how it is named, and which of its files are used."""

import json
import re
import shutil

import pytest

from tests.support.fake_hub import COMMIT, FakeHub
from tests.support.tiny_tokenizer import CHAT_TEMPLATE, make_tokenizer
from transformers_ls.errors import ModelBrokenError, ModelNotFoundError, UsageError
from transformers_ls.hub.adapters import mismatches
from transformers_ls.hub.facts import model_facts
from transformers_ls.hub.resolve import resolve


@pytest.fixture
def base(tmp_path):
    folder = make_tokenizer(tmp_path / "base", chat=False)
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 512,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"12345")
    return folder


@pytest.fixture
def adapter(tmp_path, base):
    return make_adapter(tmp_path / "adapter", str(base))


def make_adapter(folder, base, **config):
    folder.mkdir(parents=True)
    settings = {"peft_type": "LORA", "base_model_name_or_path": base, **config}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    (folder / "adapter_model.safetensors").write_bytes(b"123")
    return folder


def in_cache(cache, repo, source):
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    shutil.copytree(source, snapshot)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return snapshot


def test_by_both_names_or_its_own(base, adapter):
    for name in (f"{base}+{adapter}", f"{base} + {adapter}", str(adapter)):
        found = resolve(name)
        assert (found.name, found.folder, found.adapter) == (name, base, adapter)
        assert (found.tokenizer, found.template) == (base, base)
    assert resolve(str(base)).adapter is None


def test_by_ids_of_the_hub(base, adapter, cache):
    model = in_cache(cache, "org/base", base)
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    lora = in_cache(cache, "org/lora", adapter)
    for name in ("org/base+org/lora", f"org/base@{COMMIT}+org/lora@main", "org/lora"):
        found = resolve(name)
        assert (found.folder, found.adapter) == (model, lora)
    assert resolve(f"org/base+{adapter}").adapter == adapter
    assert resolve(f"{base}+org/lora").folder == base


def test_both_are_fetched_when_that_is_allowed(base, adapter, use_endpoint):
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    repos = {
        f"org/{folder.name}": {file.name: file.read_bytes() for file in folder.iterdir()}
        for folder in (base, adapter)
    }
    repos["org/adapter"]["adapter_model.bin"] = b"pickle"
    with FakeHub(repos) as hub:
        use_endpoint(hub.url)
        found = resolve("org/adapter", allow_network=True)
    assert (found.folder / "model.safetensors").is_file()
    assert found.adapter is not None
    assert {file.name for file in found.adapter.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_an_embedded_base(adapter, data):
    installed = data / "models" / "smollm2-135m"
    installed.mkdir(parents=True)
    (installed / "transformers-ls.json").write_text('{"format": 1}')
    config = {"base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    for name in (f"smollm2-135m+{adapter}", str(adapter)):
        assert resolve(name).folder == installed.resolve()


def test_paths_with_a_plus(base, adapter, tmp_path):
    folder = shutil.copytree(base, tmp_path / "c++" / "base")
    other = shutil.copytree(adapter, tmp_path / "c++" / "adapter")
    assert resolve(str(folder)).adapter is None
    found = resolve(f"{folder}+{other}")
    assert (found.folder, found.adapter) == (folder, other)


def test_an_adapter_without_its_base(adapter):
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/absent"}')
    with pytest.raises(ModelNotFoundError, match="is an adapter for org/absent") as raised:
        resolve(str(adapter))
    assert f"BASE+{adapter}" in raised.value.hint
    # What it brings itself can be counted with.
    make_tokenizer(adapter)
    (adapter / "config.json").unlink()
    found = resolve(str(adapter))
    assert found.tokenizer == adapter
    assert found.problem is not None
    assert "org/absent" in str(found.problem)


@pytest.mark.parametrize("config", ["{}", "{", "[]", '{"base_model_name_or_path": null}'])
def test_an_adapter_that_does_not_name_its_base(config, adapter, base):
    (adapter / "adapter_config.json").write_text(config)
    with pytest.raises(ModelBrokenError, match="does not say which model"):
        resolve(str(adapter))
    assert resolve(f"{base}+{adapter}").adapter == adapter


def test_what_is_no_pair(base, adapter):
    for name in (f"{base}+{base}", f"{adapter}+{base}", f"{adapter}+{adapter}"):
        with pytest.raises(ModelBrokenError, match="`BASE\\+ADAPTER`"):
            resolve(name)
    for name in (f"{base}+", f"+{adapter}", "+"):
        with pytest.raises(UsageError):
            resolve(name)
    with pytest.raises(ModelNotFoundError):
        resolve(f"{base}+org/absent")


def test_its_own_tokenizer_and_template_come_first(base, adapter):
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    found = resolve(str(adapter))
    assert (found.tokenizer, found.template) == (base, adapter)
    shutil.copy(base / "tokenizer.json", adapter)
    assert resolve(str(adapter)).tokenizer == adapter
    (adapter / "chat_template.jinja").unlink()
    assert resolve(str(adapter)).template == base


def test_facts(base, adapter):
    assert model_facts(base).kind == "base"
    facts = model_facts(base, adapter)
    assert (facts.kind, facts.weight_bytes, facts.window) == ("base", 8, 512)
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    assert model_facts(base, adapter).kind == "chat"
    (adapter / "adapter_model.safetensors").unlink()
    assert not model_facts(base, adapter).generates


def test_mismatches_are_told(base, adapter):
    assert mismatches(adapter, base) == []
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, adapter)
    assert mismatches(adapter, base) == []
    tokenizer = json.loads((adapter / "tokenizer.json").read_text())
    new = {**tokenizer["added_tokens"][0], "id": 400, "content": "<|new|>"}
    tokenizer["added_tokens"].append(new)
    (adapter / "tokenizer.json").write_text(json.dumps(tokenizer))
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    size, template = mismatches(adapter, base)
    own, other = map(int, re.findall(r"\d+", size))
    assert own == other + 1
    assert "which has none" in template
    (base / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    assert len(mismatches(adapter, base)) == 1

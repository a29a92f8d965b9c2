"""What a model's name means, and what its files say."""

import json

import pytest

from tests.support.fake_hub import COMMIT, FakeHub
from transformers_ls.errors import ModelBrokenError, ModelNotFoundError, NetworkError, UsageError
from transformers_ls.hub.facts import model_facts
from transformers_ls.hub.resolve import resolve

REPO = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}", "evil.py": b""}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "some model"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "llama"}')
    (made / "tokenizer.json").write_text("{}")
    return made


@pytest.fixture
def cached(cache):
    """A repository in the Hub's cache, as huggingface_hub lays it out."""
    repo = cache / "models--org--name"
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text("{}")
    return snapshot


def test_an_embedded_model(data):
    with pytest.raises(ModelNotFoundError, match="`transformers-ls models install smollm2-135m`"):
        resolve("smollm2-135m")
    installed = data / "models" / "smollm2-135m"
    installed.mkdir(parents=True)
    (installed / "transformers-ls.json").write_text('{"format": 1}')
    found = resolve("smollm2-135m")
    assert (found.folder, found.origin) == (installed.resolve(), "embedded")


def test_paths(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for name in (str(folder), "some model", "./some model", f" {folder} "):
        assert (resolve(name).folder, resolve(name).origin) == (folder.resolve(), "folder")
    file = folder / "tokenizer.json"
    assert (resolve(str(file)).folder, resolve(str(file)).origin) == (file.resolve(), "file")
    gguf = folder / "m.gguf"
    gguf.write_bytes(b"GGUF")
    assert resolve("some model/m.gguf").folder == gguf.resolve()


def test_the_cache(cached, use_endpoint):
    with FakeHub({}) as hub:
        use_endpoint(hub.url)
        for name in ("org/name", "org/name@main", f"org/name@{COMMIT}"):
            assert (resolve(name).folder, resolve(name).origin) == (cached, "cache")
        with pytest.raises(ModelNotFoundError):
            resolve("org/name@other")
        assert hub.requests == []


def test_the_network_only_when_allowed(use_endpoint):
    with FakeHub({"org/new": REPO}) as hub:
        use_endpoint(hub.url)
        with pytest.raises(ModelNotFoundError):
            resolve("org/new")
        assert hub.requests == []
        found = resolve("org/new", allow_network=True)
        assert found.origin == "hub"
        assert {path.name for path in found.folder.iterdir()} == {"config.json", "tokenizer.json"}
        with pytest.raises(NetworkError, match="does not have org/other"):
            resolve("org/other", allow_network=True)
    assert resolve("org/new").origin == "cache"


def test_the_network_is_down():
    with pytest.raises(NetworkError, match="cannot be reached"):
        resolve("org/new", allow_network=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smollm2-135", "Did you mean smollm2-135m"),
        ("org/nam", "Did you mean org/name"),
        ("no/such/folder", "There is no no/such/folder"),
        ("missing.gguf", "There is no missing.gguf"),
        ("./x", "Check the path"),
        ("..", "holds neither"),
        ("what is this?", "No model on this machine"),
        ("a" * 5000, "No model"),
        ("nul\0", "No model"),
        ("org/../../etc", "There is no"),
        ("$(touch x)/y", "No model"),
    ],
)
def test_unknown_names(name, words, cached, tmp_path, monkeypatch):
    (tmp_path / "work" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "inner")
    with pytest.raises((ModelNotFoundError, ModelBrokenError)) as raised:
        resolve(name, allow_network=False)
    assert words in str(raised.value)


def test_things_that_are_no_models(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"")
    for path in (tmp_path / "x.bin", tmp_path):
        with pytest.raises(ModelBrokenError):
            resolve(str(path))
    with pytest.raises(UsageError):
        resolve("  ")


@pytest.mark.parametrize(
    ("config", "template", "kind"),
    [
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, True, "chat"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, False, "base"),
        ({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}, False, "base"),
        (
            {
                "model_type": "t5",
                "architectures": ["T5ForConditionalGeneration"],
                "is_encoder_decoder": True,
            },
            False,
            "seq2seq",
        ),
        ({"model_type": "marian", "architectures": ["MarianMTModel"]}, False, "seq2seq"),
        (
            {
                "model_type": "gemma3",
                "architectures": ["Gemma3ForConditionalGeneration"],
                "text_config": {"max_position_embeddings": 77},
            },
            True,
            "chat",
        ),
        (
            {"model_type": "bert", "architectures": ["BertForSequenceClassification"]},
            False,
            "classifier",
        ),
        ({"model_type": "bert", "architectures": ["BertModel"]}, False, "other"),
        ({}, False, "tokenizer"),
        ([1], False, "tokenizer"),
    ],
)
def test_kinds(config, template, kind, folder):
    (folder / "config.json").write_text(json.dumps(config))
    if template:
        (folder / "chat_template.jinja").write_text("{{ x }}")
    facts = model_facts(folder)
    assert facts.kind == kind
    assert not facts.has_weights


def test_facts(folder):
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "n_positions": 99}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text('{"chat_template": "x"}')
    (folder / "model-1.safetensors").write_bytes(b"12345")
    (folder / "pytorch_model.bin").write_bytes(b"12345")
    facts = model_facts(folder)
    assert (facts.kind, facts.architecture, facts.window) == ("chat", "LlamaForCausalLM", 99)
    assert (facts.has_weights, facts.weight_bytes) == (True, 5)
    bare = model_facts(folder / "tokenizer.json")
    assert not bare.has_weights


def test_facts_of_nothing(tmp_path):
    facts = model_facts(tmp_path / "missing")
    assert (facts.kind, facts.has_weights, facts.window) == ("tokenizer", False, None)

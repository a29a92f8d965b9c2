"""What we find in a folder is what transformers' own tokenizer would use."""

from __future__ import annotations

import inspect
import json

import pytest

from transformers_ls.chat import template as module
from transformers_ls.chat.template import find_template, find_templates
from transformers_ls.errors import ModelBrokenError, ModelError


def write(folder, files):
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return folder


CONFIG = "tokenizer_config.json"
NAMED = [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({CONFIG: {"chat_template": "C"}}, {"default": ("C", CONFIG)}),
        ({CONFIG: {"chat_template": NAMED}}, {"default": ("D", CONFIG), "tool_use": ("T", CONFIG)}),
        ({CONFIG: {"chat_template": {"default": "D"}}}, {"default": ("D", CONFIG)}),
        (
            {"chat_template.jinja": "J", CONFIG: {"chat_template": NAMED}},
            {"default": ("J", "chat_template.jinja")},
        ),
        (
            {"chat_template.jinja": "J", "additional_chat_templates/rag.jinja": "R"},
            {
                "default": ("J", "chat_template.jinja"),
                "rag": ("R", "additional_chat_templates/rag.jinja"),
            },
        ),
        ({"chat_template.json": {"chat_template": "P"}}, {"default": ("P", "chat_template.json")}),
        (
            {"chat_template.json": {"chat_template": "P"}, CONFIG: {"chat_template": "C"}},
            {"default": ("C", CONFIG)},
        ),
        (
            {"processor_config.json": {"chat_template": {"default": "P", "rag": "R"}}},
            {"default": ("P", "processor_config.json"), "rag": ("R", "processor_config.json")},
        ),
        ({CONFIG: {"chat_template": None}}, {}),
        ({CONFIG: {"chat_template": [{"name": "x"}, 7]}}, {}),
        ({}, {}),
    ],
)
def test_where_templates_are(tmp_path, files, expected):
    found = find_templates(write(tmp_path, files))
    assert {name: (t.source, t.origin) for name, t in found.items()} == expected


def test_the_choice_of_one(tmp_path):
    write(tmp_path, {CONFIG: {"chat_template": NAMED}})
    assert find_template(tmp_path).source == "D"
    assert find_template(tmp_path, tools=True).source == "T"
    assert find_template(tmp_path, "tool_use").name == "tool_use"
    assert find_template(tmp_path / CONFIG).source == "D"
    with pytest.raises(ModelError, match=r"no chat template named 'rag'.*default, tool_use"):
        find_template(tmp_path, "rag")


def test_a_base_model_has_none(tmp_path):
    folder = write(tmp_path / "starcoder2-3b", {CONFIG: {"eos_token": "<|endoftext|>"}})
    with pytest.raises(ModelError) as caught:
        find_template(folder)
    assert caught.value.message == "starcoder2-3b has no chat template: it looks like a base model."
    assert "instruct model" in caught.value.hint
    with pytest.raises(ModelError, match=r"^bigcode/starcoder2-3b has no"):
        find_template(folder, model="bigcode/starcoder2-3b")


@pytest.mark.parametrize("broken", ["{", "[]", '"text"', "[" * 100_000, "\udcff"])
def test_broken_files(tmp_path, broken):
    (tmp_path / CONFIG).write_bytes(broken.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelBrokenError, match=CONFIG):
        find_template(tmp_path)


TOKENS = [
    {},
    {"bos_token": "<b>", "eos_token": None},
    {"bos_token": {"__type": "AddedToken", "content": "<b>", "lstrip": False}},
    {"image_token": "<img>", "bos_token": "<b>"},
    {"extra_special_tokens": {"audio_token": "<aud>"}},
    {"extra_special_tokens": ["<x>"], "add_bos_token": True},
    {"additional_special_tokens": ["<x>"], "pad_token": "<p>", "model_max_length": 7},
    {"added_tokens_decoder": {"0": {"content": "<b>", "special": True}}, "bos_token": "<b>"},
]
LEGACY = [{}, {"bos_token": {"content": "<legacy>", "lstrip": False}, "sep_token": "<sep>"}]


@pytest.mark.parametrize("legacy", LEGACY)
@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("class_name", ["PreTrainedTokenizerFast", "GPT2TokenizerFast"])
@pytest.mark.filterwarnings("ignore")
def test_special_tokens_are_those_of_transformers(tmp_path, class_name, tokens, legacy):
    from tokenizers import Tokenizer, models
    from transformers import AutoTokenizer

    vocabulary = {"a": 0, "<|endoftext|>": 1}
    model = (
        models.BPE(vocabulary, []) if "GPT2" in class_name else models.WordLevel(vocabulary, "a")
    )
    Tokenizer(model).save(str(tmp_path / "tokenizer.json"))
    write(tmp_path, {CONFIG: {"tokenizer_class": class_name, "chat_template": "x", **tokens}})
    if legacy:
        write(tmp_path, {"special_tokens_map.json": legacy})
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert find_template(tmp_path).special_tokens == tokenizer.special_tokens_map
    assert find_template(tmp_path).source == tokenizer.get_chat_template()


@pytest.mark.parametrize("class_name", module._CLASS_TOKENS)
def test_the_tokens_that_classes_set_by_themselves(class_name):
    from transformers.models.auto.tokenization_auto import tokenizer_class_from_name

    signature = inspect.signature(tokenizer_class_from_name(class_name))
    defaults = {
        name: str(parameter.default)
        for name, parameter in signature.parameters.items()
        if name in module._STANDARD_TOKENS and parameter.default
    }
    assert module._CLASS_TOKENS[class_name] == defaults


def gguf_file(path, **templates):
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", "é"])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(99)
    writer.add_token_types([1, 1, 1, 1])
    for name, template in templates.items():
        key = "tokenizer.chat_template" + ("" if name == "default" else f".{name}")
        writer.add_string(key, template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_templates_of_a_gguf_file(tmp_path):
    path = gguf_file(tmp_path / "tiny.gguf", default="D é", tool_use="T")
    found = find_templates(path)
    assert {name: t.source for name, t in found.items()} == {"default": "D é", "tool_use": "T"}
    assert found["default"].origin == "tiny.gguf metadata"
    assert found["default"].special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert find_template(path, tools=True).source == "T"


def test_a_gguf_file_without_a_template_takes_the_one_beside_it(tmp_path):
    path = gguf_file(tmp_path / "tiny.gguf")
    with pytest.raises(ModelError, match="no chat template"):
        find_template(path)
    write(tmp_path, {"chat_template.jinja": "J"})
    assert find_template(path).source == "J"


def test_broken_gguf_files(tmp_path):
    whole = gguf_file(tmp_path / "tiny.gguf", default="D").read_bytes()
    path = tmp_path / "broken.gguf"
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelBrokenError, match=r"broken\.gguf"):
            find_templates(path)
    path.write_bytes(b"GGUF" + b"\xff" * 500)
    with pytest.raises(ModelBrokenError):
        find_templates(path)


def test_a_file_that_the_user_chose(tmp_path):
    write(tmp_path, {"mine.jinja": "M"})
    template = module.template_of_file(tmp_path / "mine.jinja", {"bos_token": "<s>"})
    assert (template.source, template.special_tokens) == ("M", {"bos_token": "<s>"})
    with pytest.raises(ModelBrokenError, match=r"none\.jinja"):
        module.template_of_file(tmp_path / "none.jinja", {})

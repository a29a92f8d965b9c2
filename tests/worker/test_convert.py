"""GGUF in, a folder that transformers loads out, through the real helper process."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")
pytest.importorskip("gguf", reason="the worker's packages are not installed")

from tests.support.tiny_gguf import WINDOW, write_gguf  # noqa: E402
from tests.support.tiny_models import CHAT_TEMPLATE  # noqa: E402
from transformers_ls.errors import EngineUnavailableError, ModelBrokenError  # noqa: E402
from transformers_ls.hub.conversion import convert_gguf  # noqa: E402


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    (folder / "scratch").mkdir()
    return write_gguf(folder / "tiny.gguf", folder / "scratch")


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    told = []
    convert_gguf(source, folder, lambda *step: told.append(step))
    assert told[0] == ("convert", 0, 100)
    assert told[-1] == ("convert", 100, 100)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    return folder


def test_the_files(converted):
    assert {path.name for path in converted.iterdir()} == {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert (converted / "chat_template.jinja").read_text() == CHAT_TEMPLATE
    config = json.loads((converted / "config.json").read_text())
    assert (config["dtype"], config["max_position_embeddings"]) == ("bfloat16", WINDOW)
    assert "quantization_config" not in config
    generation = json.loads((converted / "generation_config.json").read_text())
    assert (generation["eos_token_id"], generation["bos_token_id"]) == (0, 1)
    tokenizer = json.loads((converted / "tokenizer_config.json").read_text())
    assert tokenizer["model_max_length"] == WINDOW
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        assert str(converted.parent) not in (converted / name).read_text()


def test_the_weights_are_those_of_the_file(source, converted):
    from transformers import AutoModelForCausalLM, GgufConfig

    expected = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        quantization_config=GgufConfig(gguf_file=source.name, dequantize=True),
        dtype=torch.float32,
    )
    got = AutoModelForCausalLM.from_pretrained(converted, dtype=torch.bfloat16)
    for (name, a), (_, b) in zip(expected.named_parameters(), got.named_parameters(), strict=True):
        assert torch.equal(a.to(torch.bfloat16), b), name


def test_the_ids_are_those_of_the_vocabulary(source, converted):
    from transformers import AutoTokenizer

    expected = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    got = AutoTokenizer.from_pretrained(converted)
    for text in (
        "The quick brown fox",
        "Größe 日本語 🙂",
        "<|start|>user: x<|end|>",
        " a  b\n\n c",
    ):
        assert got(text).input_ids == expected(text).input_ids
        assert got.decode(got(text).input_ids) == text
    # What transformers leaves out of such a file: digits stand apart before anything else.
    pieces = got.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a  12")
    assert [piece for piece, _ in pieces] == ["a", "ĠĠ", "1", "2"]


def test_a_broken_file(source, tmp_path):
    (tmp_path / "made").mkdir()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(source.read_bytes()[:3000])
    with pytest.raises(ModelBrokenError, match=r"broken\.gguf could not be converted"):
        convert_gguf(broken, tmp_path / "made", lambda *_: None)


def test_cancelling_ends_the_process(source, tmp_path):
    def progress(_stage, _done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_gguf(source, tmp_path, progress)


def test_missing_packages(source, tmp_path):
    import sys
    from pathlib import Path

    import transformers_ls_worker

    python = tmp_path / "python"
    path = Path(transformers_ls_worker.__file__).parents[1]
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(EngineUnavailableError, match=r"transformers-ls\[worker\]"):
        convert_gguf(source, tmp_path, lambda *_: None, python=str(python))

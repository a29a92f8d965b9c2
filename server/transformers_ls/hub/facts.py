"""What a model's files say about it, read without loading anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers_ls.errors import ModelBrokenError
from transformers_ls.gguf import read_gguf
from transformers_ls.hub.adapters import WEIGHTS, has_template
from transformers_ls.hub.config_files import read_config

__all__ = ["ModelFacts", "ModelKind", "model_facts"]

ModelKind = Literal["chat", "base", "seq2seq", "classifier", "other", "tokenizer"]
"""What one can ask of it: a chat, a continuation, a transformation of a text, labels; `tokenizer`
has no model at all."""

_KIND_BY_HEAD: tuple[tuple[str, ModelKind], ...] = (
    ("ForCausalLM", "base"),
    ("LMHeadModel", "base"),
    ("ForConditionalGeneration", "seq2seq"),
    ("MTModel", "seq2seq"),
    ("ForSequenceClassification", "classifier"),
    ("ForTokenClassification", "classifier"),
)
# Raffel et al. 2020, https://arxiv.org/abs/1910.10683: every task is a text with a prefix.
_PREFIXED = ("t5", "mt5", "umt5", "longt5", "switch_transformers")
_WINDOW_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts about the model in a folder."""

    kind: ModelKind
    architecture: str
    """The class's name in config.json (`LlamaForCausalLM`); empty when it does not say."""
    has_weights: bool
    """Whether there are weights that may be loaded: safetensors, or a GGUF file."""
    weight_bytes: int
    has_chat_template: bool
    window: int | None
    """The context window in tokens; None when the files do not say."""
    prefixes: bool = False
    """Whether it is told its task by a prefix of the text, as T5 is."""
    entails: bool = False
    """Whether it tells if one text follows from another: such a classifier takes any labels."""
    embeds: bool = False
    """Whether it makes a vector of a text: a bare encoder, a masked language model, or one that is
    laid out for sentence-transformers."""
    quantization: str = ""
    """How its weights are quantized (`torchao`, `gptq`, `gguf`); empty when they are not."""

    @property
    def generates(self) -> bool:
        """Whether it can write a text here."""
        return self.has_weights and self.kind in ("chat", "base", "seq2seq")


def model_facts(path: Path, adapter: Path | None = None) -> ModelFacts:
    """Return facts about the model in a folder, or about a `tokenizer.json` or `.gguf` file.

    Files that are missing or broken count as saying nothing: whoever loads them will tell.

    Args:
        path: Where the model is.
        adapter: The folder of a PEFT adapter on it, which may make a chat model of a base.
    """
    trained = adapter is not None and has_template(adapter)
    added = _size(adapter / WEIGHTS) if adapter is not None else 0
    if path.is_file() and path.suffix == ".gguf":
        return _gguf_facts(path, trained=trained, added=added)
    folder = path.parent if path.is_file() else path
    config = read_config(folder / "config.json")
    weights = [] if path.is_file() else list(folder.glob("*.safetensors"))
    weights = [file for file in weights if file.name != WEIGHTS]
    architecture = _architecture(config)
    templated = trained or has_template(folder)
    return ModelFacts(
        kind=_kind(config, architecture, has_template=templated),
        architecture=architecture,
        has_weights=bool(weights) and (adapter is None or bool(added)),
        weight_bytes=sum(map(_size, weights)) + added,
        has_chat_template=templated,
        window=_window(config),
        prefixes=config.get("model_type") in _PREFIXED,
        quantization=_quantization(config),
        entails=architecture.endswith("ForSequenceClassification") and _entails(config),
        embeds=(folder / "modules.json").is_file() or _embeds(config, architecture),
    )


def _kind(config: dict[str, Any], architecture: str, *, has_template: bool) -> ModelKind:
    if not config or "model_type" not in config:
        return "tokenizer"
    # A vision-language model is a ...ForConditionalGeneration too, but decodes only.
    encodes = _is_encoder_decoder(config) or "text_config" not in config
    for head, kind in _KIND_BY_HEAD:
        if architecture.endswith(head) and (kind != "seq2seq" or encodes):
            return "chat" if kind == "base" and has_template else kind
    if has_template:
        return "chat"
    return "other"


def _is_encoder_decoder(config: dict[str, Any]) -> bool:
    return bool(config.get("is_encoder_decoder"))


def _embeds(config: dict[str, Any], architecture: str) -> bool:
    """Whether there is nothing behind a text's vectors but, at most, what predicts its masks."""
    bare = architecture.endswith(("Model", "ForMaskedLM"))
    writes = architecture.endswith("LMHeadModel")
    return bare and not writes and not _is_encoder_decoder(config)


def _entails(config: dict[str, Any]) -> bool:
    labels = config.get("id2label")
    names = labels.values() if isinstance(labels, dict) else ()
    return any(str(name).lower().startswith("entail") for name in names)


def _architecture(config: dict[str, Any]) -> str:
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        return architectures[0]
    return ""


def _window(config: dict[str, Any]) -> int | None:
    for values in (config, config.get("text_config")):
        if isinstance(values, dict):
            for key in _WINDOW_KEYS:
                if type(value := values.get(key)) is int and value > 0:
                    return value
    return None


def _quantization(config: dict[str, Any]) -> str:
    settings = config.get("quantization_config")
    if not isinstance(settings, dict):
        return ""
    # bitsandbytes did not always write its name.
    return str(settings.get("quant_method") or "bitsandbytes")


def _gguf_facts(path: Path, *, trained: bool, added: int) -> ModelFacts:
    try:
        header = read_gguf(path)
        templated, window, readable = trained or bool(header.templates), header.window, True
    except ModelBrokenError:
        templated, window, readable = trained, None, False
    return ModelFacts(
        kind="chat" if templated else "base",
        architecture="",
        has_weights=readable,
        weight_bytes=_size(path) + added,
        has_chat_template=templated,
        window=window,
        quantization="gguf",
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

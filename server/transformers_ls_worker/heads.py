"""Which part of transformers loads a model for a task that says something of a text.

A checkpoint has one trained head. transformers would load any checkpoint as any kind of model and
fill what is missing with random numbers, so the kind is checked before and the weights after.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.loading import LoadedModel
from transformers_ls_worker.model_files import read_json
from transformers_ls_worker.wire import InferTask

__all__ = ["HEADS", "Head", "generates", "load_head"]

_ENDLESS = 1_000_000
"""A tokenizer that knows no limit says a number with thirty digits."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a task needs of a model."""

    auto_class: str
    """The class of transformers that loads it."""
    architectures: tuple[str, ...]
    """What the class that a config names may end in."""
    does: str
    """What such a model does, for messages."""
    example: str
    """A model that is widely used for it."""


_CLASSIFIER = Head(
    "AutoModelForSequenceClassification",
    ("ForSequenceClassification",),
    "classify texts",
    "a text-classification model, such as distilbert/distilbert-base-uncased-finetuned-sst-2-english",
)
_EMBEDDINGS = "an embedding model, such as sentence-transformers/all-MiniLM-L6-v2"

HEADS: dict[InferTask, Head] = {
    "text-classification": _CLASSIFIER,
    "zero-shot-classification": Head(
        _CLASSIFIER.auto_class,
        _CLASSIFIER.architectures,
        "judge whether a sentence follows from a text",
        "a chat model, or one trained for entailment, such as facebook/bart-large-mnli",
    ),
    "token-classification": Head(
        "AutoModelForTokenClassification",
        ("ForTokenClassification",),
        "find entities",
        "a token-classification model, such as dslim/bert-base-NER",
    ),
    "question-answering": Head(
        "AutoModelForQuestionAnswering",
        ("ForQuestionAnswering", "ForQuestionAnsweringSimple"),
        "find an answer in a text",
        "a question-answering model, such as deepset/roberta-base-squad2",
    ),
    "fill-mask": Head(
        "AutoModelForMaskedLM",
        ("ForMaskedLM", "ForPreTraining", "WithLMHeadModel"),
        "fill a mask",
        "a masked language model, such as google-bert/bert-base-uncased",
    ),
    "feature-extraction": Head(
        "AutoModel",
        ("Model", "ForMaskedLM", "ForPreTraining"),
        "tell how alike texts are",
        _EMBEDDINGS,
    ),
}


def generates(path: Path) -> bool:
    """Whether a model continues texts: then it chooses labels by their likelihood."""
    if path.is_file() or _architecture(path).endswith(("ForCausalLM", "LMHeadModel")):
        return True
    # One that sees pictures too has the name of an encoder-decoder, and a decoder for texts.
    seeing = "text_config" in read_json(path / "config.json")
    return seeing and _architecture(path).endswith("ForConditionalGeneration")


def load_head(path: Path, head: Head, placement: Placement) -> LoadedModel:
    """Load a model with a trained head, and its tokenizer.

    Raises:
        RunError: It is of another kind, or has no trained head.
    """
    import transformers

    _check_kind(path, head)
    # Never the network, never a repository's code, never a pickle.
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, **safe)
    model, info = getattr(transformers, head.auto_class).from_pretrained(
        path,
        dtype=placement.dtype,
        use_safetensors=True,
        output_loading_info=True,
        **safe,
    )
    missing = sorted(info["missing_keys"])
    if head.auto_class == "AutoModel":
        # What stands above the tokens' vectors is not used; checkpoints often come without it.
        missing = [key for key in missing if not key.startswith("pooler.")]
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
    if missing:
        raise RunError(
            "model-unfit",
            f"{path.name} was not trained to {head.does}: it lacks weights, {missing[0]} for one.",
            f"Choose {head.example}.",
        )
    model.to(placement.device).eval()
    return LoadedModel(model, tokenizer, _window(path, model, tokenizer))


def _check_kind(path: Path, head: Head) -> None:
    """Refuse a model whose config names another kind; one that names none is tried."""
    if path.is_file():
        raise _unfit(path, "a GGUF file, which generates text", head)
    architecture = _architecture(path)
    if not architecture or architecture.endswith(head.architectures):
        return
    if head.auto_class == "AutoModel" and (path / "modules.json").is_file():
        return  # sentence-transformers' own list of what it is made of.
    raise _unfit(path, f"a {architecture}", head)


def _unfit(path: Path, what: str, head: Head) -> RunError:
    message = f"{path.name} cannot {head.does}: it is {what}."
    return RunError("model-unfit", message, f"Choose {head.example}.")


def _architecture(path: Path) -> str:
    names = read_json(path / "config.json").get("architectures")
    return str(names[0]) if isinstance(names, list) and names else ""


def _window(path: Path, model: Any, tokenizer: Any) -> int | None:
    """Return how many tokens the model takes at once; None when nothing says so."""
    limits = [tokenizer.model_max_length]
    limits.append(getattr(model.config.get_text_config(), "max_position_embeddings", 0))
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # RoBERTa and its kin count positions from behind the padding's.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - unused)
    settings = path / "sentence_bert_config.json"
    if settings.is_file():
        limits.append(read_json(settings).get("max_seq_length"))
    return min(
        (limit for limit in limits if isinstance(limit, int) and 0 < limit < _ENDLESS),
        default=None,
    )

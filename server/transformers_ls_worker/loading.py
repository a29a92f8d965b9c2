"""Load a model from its folder, safely: no code, no pickle, no network, no guessed weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers_ls_worker.adapters import put_on
from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.model_files import has_tokenizer
from transformers_ls_worker.packing import pack
from transformers_ls_worker.prefixes import Prefixes

__all__ = ["LoadedModel", "end_tokens", "load", "plain_search"]

# Ways of generating that are not greedy search or sampling: a checkpoint's own settings may ask for
# them, and some are code that transformers would fetch.
_OTHER_SEARCHES = (
    *("penalty_alpha", "dola_layers", "constraints", "force_words_ids", "num_beam_groups"),
    *("prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp", "stop_strings"),
    *("max_time", "watermarking_config", "compile_config"),
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to generate, with its tokenizer."""

    model: Any
    tokenizer: Any
    window: int | None
    """How many tokens prompt and answer may have together; None when the config does not say."""
    end_tokens: frozenset[int] = frozenset()
    """The tokens that end an answer."""
    encodes: bool = False
    """True for an encoder-decoder: its answer does not go on from the prompt's tokens."""
    vocabulary: int | None = None
    """How many tokens the model knows; the ids of its tokenizer may be more."""
    prefixes: Prefixes = field(default_factory=Prefixes)
    """What earlier prompts began with."""
    dtype_name: str = ""
    """What it is computed in, where that is not the type of the placement."""


def load(
    path: Path, placement: Placement, adapter: Path | None = None, *, spread: bool = False
) -> LoadedModel:
    """Load the model of a folder or GGUF file with its tokenizer.

    Args:
        path: Where it is.
        placement: What it will run on.
        adapter: The folder of a PEFT adapter to put on it, whose tokenizer comes first.
        spread: Whether its layers go to all GPUs of the placement's kind, since none holds them all.

    Raises:
        RunError: It is none that generates, or its weights are not all there.
    """
    from transformers import AutoConfig

    folder, gguf = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    # Never the network, never a repository's code, never a pickle.
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    config = None if gguf else AutoConfig.from_pretrained(folder, **safe)
    kind: Any = _auto_class(path, config)
    if adapter is not None and has_tokenizer(adapter):
        tokenizer = _tokenizer(adapter, config=config, **safe)
    else:
        tokenizer = _tokenizer(folder, **safe, **gguf)
    model, info = kind.from_pretrained(
        folder,
        dtype=placement.dtype,
        use_safetensors=True,
        output_loading_info=True,
        device_map=_device_map(placement, spread=spread),
        **safe,
        **gguf,
    )
    # transformers fills missing weights with random numbers and a warning that nobody would see.
    if missing := sorted(info["missing_keys"]):
        raise RunError(
            "model-broken",
            f"{path.name} lacks {len(missing)} of its weights, {missing[0]} for one.",
            "Fetch the model again.",
        )
    if adapter is not None:
        put_on(model, adapter)
    pack(model.eval())
    text_config = model.config.get_text_config(decoder=True)
    window = getattr(text_config, "max_position_embeddings", None)
    plain_search(model.generation_config)
    return LoadedModel(
        model,
        tokenizer,
        window if isinstance(window, int) else None,
        end_tokens(model.generation_config),
        bool(model.config.is_encoder_decoder),
        model.get_input_embeddings().weight.shape[0],
    )


def _tokenizer(folder: Path, **options: Any) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, **options)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if "trust_remote_code" in str(error):
            raise
        raise RunError(
            "model-broken",
            f"{folder.name} has no tokenizer that can be read ({type(error).__name__}).",
            "Fetch its tokenizer.json again, or the vocabulary that it was published with.",
        ) from error


def _auto_class(path: Path, config: Any) -> Any:
    """Return the class that loads a model for generating; a GGUF file holds a decoder."""
    import transformers

    if config is None:
        return transformers.AutoModelForCausalLM
    for name in config.architectures or ():
        known = getattr(transformers, name, None)
        if known is not None and not known.can_generate():
            raise RunError(
                "model-unfit",
                f"{path.name} does not generate text: it is a {name}.",
                "Choose a chat, base or translation model for this task.",
            )
    if config.is_encoder_decoder:
        return transformers.AutoModelForSeq2SeqLM
    if type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
        return transformers.AutoModelForCausalLM
    # It sees pictures too, and answers a text without them as any decoder.
    return transformers.AutoModelForImageTextToText


def _device_map(placement: Placement, *, spread: bool) -> Any:
    """Return where transformers puts the weights as it reads them: at once where they will be used.

    A CPU needs none: there, the weights are a view of the file.
    """
    if placement.device.type == "cpu":
        return None
    return "auto" if spread else {"": placement.device}


def plain_search(settings: Any) -> None:
    """Leave a checkpoint's own settings as they are, but for the kind of search.

    What it says of tokens (forced, suppressed, not to be repeated, of what likelihood) is kept.
    """
    for name in _OTHER_SEARCHES:
        if getattr(settings, name, None) is not None:
            setattr(settings, name, None)
    settings.num_beams = settings.num_return_sequences = 1
    # Some old checkpoints have -1 for "none", which is no row of the embeddings.
    if settings.pad_token_id is not None and settings.pad_token_id < 0:
        settings.pad_token_id = None


def end_tokens(settings: Any) -> frozenset[int]:
    """Return the tokens that end an answer."""
    ends = settings.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list | tuple) else [ends])

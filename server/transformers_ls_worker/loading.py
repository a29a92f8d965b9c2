"""Load a model from its folder, safely: no code, no pickle, no network, no guessed weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunError, explain

__all__ = ["LoadedModel", "check_files", "load", "load_error", "progress"]

_TELL_SECONDS = 0.05
"""How often progress is told at most; a small model's hundreds of tensors load in one blink."""

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


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


def check_files(path: Path) -> None:
    """Refuse what cannot or must not be loaded, before any library sees it."""
    name = path.name
    if path.is_file():
        return
    if not (path / "config.json").is_file():
        raise RunError(
            "model-not-found", f"{name} holds no model: it has no config.json.", "Choose another."
        )
    if any(path.glob("*.safetensors")):
        return
    if any(file for pattern in _PICKLES for file in path.glob(pattern)):
        raise RunError(
            "weights-refused",
            f"{name} has only pickled weights, which can run any code when they are loaded.",
            "Take a version published as safetensors, or convert it where you trust it.",
        )
    raise RunError(
        "model-not-found",
        f"{name} holds no weights, only a tokenizer.",
        "Choose a model whose weights are on this machine.",
    )


def load(path: Path, placement: Placement) -> LoadedModel:
    """Load the model of a folder or GGUF file with its tokenizer."""
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
        AutoTokenizer,
    )

    folder, gguf = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    # Never the network, never a repository's code, never a pickle.
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, **gguf}
    tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
    encodes = not gguf and bool(AutoConfig.from_pretrained(folder, **safe).is_encoder_decoder)
    kind: Any = AutoModelForSeq2SeqLM if encodes else AutoModelForCausalLM
    model, info = kind.from_pretrained(
        folder,
        dtype=placement.dtype,
        use_safetensors=True,
        output_loading_info=True,
        **safe,
    )
    # transformers fills missing weights with random numbers and a warning that nobody would see.
    if missing := sorted(info["missing_keys"]):
        raise RunError(
            "model-broken",
            f"{path.name} lacks {len(missing)} of its weights, {missing[0]} for one.",
            "Fetch the model again.",
        )
    model.to(placement.device).eval()
    config = model.config.get_text_config(decoder=True)
    window = getattr(config, "max_position_embeddings", None)
    return LoadedModel(
        model,
        tokenizer,
        window if isinstance(window, int) else None,
        _end_tokens(model.generation_config),
        encodes,
    )


def _end_tokens(generation_config: Any) -> frozenset[int]:
    ends = generation_config.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list | tuple) else [ends])


def load_error(path: Path, error: Exception) -> RunError:
    """Return what to tell the user about an exception of `load`."""
    explained = explain(error)
    if explained.code != "internal":
        return explained
    text = str(error)
    if isinstance(error, ImportError):
        return RunError(
            "packages-missing",
            f"{path.name} needs a package that is not installed: {error.name or text[:200]}.",
            "Install it into the worker's environment.",
        )
    if "trust_remote_code" in text:
        return RunError(
            "weights-refused",
            f"{path.name} needs code from its own repository, which is never run.",
            "Choose a model whose architecture transformers has.",
        )
    if "Unrecognized configuration class" in text:
        return RunError(
            "model-broken",
            f"{path.name} is not a model that generates text.",
            "Choose a chat or base language model for this task.",
        )
    return RunError(
        "model-broken",
        f"{path.name} cannot be loaded: {explained.message.removeprefix('The run failed with ')}",
        "Its files may be damaged; fetch the model again.",
    )


class _Bar:
    """Stands in for the progress bar that transformers shows while it loads weights."""

    def __init__(
        self, items: Any, total: int | None, tell: Callable[[int], None], check: Callable[[], None]
    ) -> None:
        self._items = items
        self._total = total or (len(items) if hasattr(items, "__len__") else 0)
        self._tell = tell
        self._check = check

    def __iter__(self) -> Iterator[Any]:
        told = 0.0
        for done, item in enumerate(self._items):
            self._check()
            if self._total and time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                self._tell(100 * done // self._total)
            yield item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


@contextmanager
def progress(tell: Callable[[int], None], check: Callable[[], None]) -> Iterator[None]:
    """Tell how much of the weights is loaded, and ask for an abort between two of them."""
    from transformers.utils import logging

    def make(_factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Bar:
        items = args[0] if args else kwargs.get("iterable")
        return _Bar(items, kwargs.get("total"), tell, check)

    previous = logging.set_tqdm_hook(make)
    try:
        yield
    finally:
        logging.set_tqdm_hook(previous)

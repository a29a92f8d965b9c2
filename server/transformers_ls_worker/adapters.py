"""PEFT adapters: a few trained weights put on a model.

Each model with an adapter is a model of its own in memory. Two runs of one model take turns within
an answer, so switching the adapters of shared weights would change them under the other run; and an
adapter is not merged into the weights, since a sum rounded to bfloat16 is another model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers_ls_worker.failures import RunError

__all__ = ["put_on"]

_EMBEDDINGS = ("embed_tokens.weight", "lm_head.weight", "wte.weight", "shared.weight")


def put_on(model: Any, folder: Path) -> None:
    """Put the adapter of a folder, which `check_adapter` has seen, on a model.

    Raises:
        RunError: peft is missing, or the adapter is not one for this model.
    """
    try:
        from peft import PeftConfig, PeftModel
    except ImportError as error:
        raise RunError(
            "packages-missing",
            f"{folder.name} is an adapter, which needs the package peft.",
            "Install it into the worker's environment: `pip install peft`.",
        ) from error

    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            "model-broken",
            f"The adapter {folder.name} is of no kind that peft knows.",
            "Update peft in the worker's environment, or choose another adapter.",
        ) from error
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise RunError(
            "model-broken",
            f"{folder.name} is an adapter of the kind {kind}, which adds to the prompt and not to "
            "the weights.",
            "Choose a LoRA adapter, or another kind that changes weights.",
        )
    _resize(model, folder)
    device = str(model.get_input_embeddings().weight.device)
    try:
        # The wrapper is not kept: what is put into the model's layers does all that an answer needs.
        wrapper = PeftModel(model, config, autocast_adapter_dtype=False)
        result = wrapper.load_adapter(
            str(folder), "default", torch_device=device, autocast_adapter_dtype=False
        )
    except (ValueError, RuntimeError) as error:
        raise _foreign(folder, model, str(error)) from error
    if missing := sorted(result.missing_keys):
        raise _foreign(folder, model, f"{missing[0]} is missing")
    # peft calls some layers that were saved whole unexpected, and loads them all the same.
    surplus = sorted(key for key in result.unexpected_keys if "modules_to_save" not in key)
    if surplus:
        raise _foreign(folder, model, f"it has no {surplus[0]}")


def _resize(model: Any, folder: Path) -> None:
    """Give a model as many tokens as an adapter has that was trained with more of them."""
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
        rows = {
            weights.get_slice(key).get_shape()[0]
            for key in weights.keys()  # noqa: SIM118 - it is no dict
            if key.endswith(_EMBEDDINGS)
        }
    if len(rows) == 1 and (size := rows.pop()) != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(size, mean_resizing=False)


def _foreign(folder: Path, model: Any, reason: str) -> RunError:
    first_line = (reason.strip().splitlines() or [""])[0][:200]
    return RunError(
        "model-broken",
        f"The adapter {folder.name} does not fit a {type(model).__name__} of this size: "
        f"{first_line}.",
        "Choose the model that it was trained on; its adapter_config.json names it.",
    )

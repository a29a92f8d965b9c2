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


def put_on(model: Any, folder: Path) -> None:
    """Put the adapter of a folder, which `check_adapter` has seen, on a model.

    Raises:
        RunError: peft is missing, or the adapter is not one for this model.
    """
    try:
        from peft import PeftConfig
    except ImportError as error:
        raise RunError(
            "packages-missing",
            f"{folder.name} is an adapter, which needs the package peft.",
            "Install it into the worker's environment: `pip install peft`.",
        ) from error
    from safetensors.torch import load_file

    config = PeftConfig.from_pretrained(str(folder))
    name = str(getattr(config.peft_type, "value", config.peft_type))
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise RunError(
            "model-broken",
            f"{folder.name} is an adapter of the kind {name}, which adds to the prompt and not to "
            "the weights.",
            "Choose a LoRA adapter, or another kind that changes weights.",
        )
    weights = load_file(folder / "adapter_model.safetensors")
    _resize(model, weights)
    device = model.get_input_embeddings().weight.device
    try:
        # The weights are handed over, so that no other file of the folder is looked for.
        info = model.load_adapter(
            peft_config=config,
            adapter_state_dict={key: value.to(device) for key, value in weights.items()},
        )
    except (ValueError, RuntimeError) as error:
        raise _foreign(folder, model, str(error)) from error
    if missing := sorted(info.missing_keys):
        raise _foreign(folder, model, f"{missing[0]} is missing")


def _resize(model: Any, weights: dict[str, Any]) -> None:
    """Give a model as many tokens as an adapter has that was trained with more of them."""
    rows = {
        value.shape[0]
        for key, value in weights.items()
        if key.endswith(("embed_tokens.weight", "lm_head.weight", "wte.weight", "shared.weight"))
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

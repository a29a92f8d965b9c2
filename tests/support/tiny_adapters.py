"""PEFT adapters of random weights for the tiny models."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def lora(folder: Path, base: Path, *, tokens: int = 0, seed: int = 1, **config: Any) -> Path:
    """Write a LoRA adapter that changes what its base says.

    Args:
        folder: Where to.
        base: The model's folder.
        tokens: With how many tokens more than the base has it was trained.
        seed: Of its weights.
        config: More of peft's `LoraConfig`.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(seed)
    if tokens:
        model.resize_token_embeddings(model.config.vocab_size + tokens, mean_resizing=False)
        config["modules_to_save"] = ["embed_tokens", "lm_head"]
    settings = {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj", "down_proj"]}
    tuned = get_peft_model(
        model, LoraConfig(init_lora_weights=False, task_type="CAUSAL_LM", **settings | config)
    )
    tuned.save_pretrained(folder)
    return folder

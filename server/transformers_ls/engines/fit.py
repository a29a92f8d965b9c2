"""What fits into a device's memory: a model's weights, and the keys and values of a long text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["BITS", "WINDOW", "cache_bytes_per_token", "fits", "parameters_that_fit"]

WINDOW = 8192
"""The tokens of prompt and answer together that must fit beside the weights."""

BITS = {"float32": 32.0, "bfloat16": 16.0, "float16": 16.0, "8 bits": 8.5, "4 bits": 4.5}
"""Bits of a weight by precision. Quantized weights share a 16-bit scale by blocks of 32, as in Q8_0
and Q4_0 (https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h); torchao's and
bitsandbytes' blocks are larger, and take a little less."""

_LAYOUTS = (
    # Parameters, and keys and values of a token, as the config.json of each says:
    (0.135e9, 30 * 3 * 64 * 2),  # SmolLM2-135M
    (0.36e9, 32 * 5 * 64 * 2),  # SmolLM2-360M
    (1.7e9, 28 * 8 * 128 * 2),  # Qwen3-0.6B and Qwen3-1.7B
    (8.2e9, 36 * 8 * 128 * 2),  # Qwen3-4B and Qwen3-8B
    (14.8e9, 40 * 8 * 128 * 2),  # Qwen3-14B
    (32.8e9, 64 * 8 * 128 * 2),  # Qwen3-32B
    (float("inf"), 80 * 8 * 128 * 2),  # Llama-3.3-70B
)


def parameters_that_fit(free: int, share: float, bits: float, cache_bytes: int = 2) -> float:
    """Return how many parameters fit beside the keys and values of `WINDOW` tokens.

    A model of N parameters takes N x bits / 8 bytes; each token takes a key and a value in each layer,
    2 x layers x key-value heads x size of a head numbers (Pope et al. 2022, section 2.1,
    https://arxiv.org/abs/2211.05102). How layers grow with N is taken from models of today with
    grouped queries; older ones without them take several times more for a token.

    Args:
        free: The device's free bytes.
        share: How much of them weights may take.
        bits: Bits of a weight.
        cache_bytes: Bytes of a key's or value's number.
    """
    best = 0.0
    smaller = 0.0
    for most, numbers in _LAYOUTS:
        room = min(share * free, free - WINDOW * numbers * cache_bytes)
        found = min(room * 8 / bits, most)
        if found > smaller:
            best = max(best, found)
        smaller = most
    return best


def cache_bytes_per_token(folder: Path, cache_bytes: int) -> int | None:
    """Return what a token's keys and values take in a model, at most.

    Layers that only look back over a sliding window take less for a long text.

    Args:
        folder: The model's folder.
        cache_bytes: Bytes of a key's or value's number.

    Returns:
        None when its config.json does not say how it is laid out.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    text = config.get("text_config")
    config = text if isinstance(text, dict) else config
    layers = _number(config, "num_hidden_layers", "n_layer", "num_decoder_layers", "num_layers")
    heads = _number(config, "num_attention_heads", "n_head", "decoder_attention_heads", "num_heads")
    width = _number(config, "hidden_size", "n_embd", "d_model")
    if not (layers and heads and width):
        return None
    size = _number(config, "head_dim", "d_kv") or width // heads
    return 2 * layers * (_number(config, "num_key_value_heads") or heads) * size * cache_bytes


def fits(
    weights: int, cache_per_token: int | None, window: int | None, free: int, share: float
) -> bool:
    """Whether a model's weights fit, and beside them a text as long as its window or `WINDOW`."""
    tokens = min(WINDOW, window or WINDOW)
    return weights <= share * free and weights + tokens * (cache_per_token or 0) <= free


def _number(config: dict[str, Any], *names: str) -> int | None:
    for name in names:
        if type(value := config.get(name)) is int and value > 0:
            return value
    return None

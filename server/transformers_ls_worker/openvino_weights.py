"""Smaller weights for a graph: 4 bits where they lose nothing, 8 bits elsewhere.

A token is decoded as fast as the weights are read. A matrix that comes from a 4-bit file (the
embedded models', most GGUF files) has only sixteen values in each group of 32, and is stored as
such again: `(q - zero) * scale`, the form of GGUF's Q4_0, Q4_1 and Q4_K. All other matrices get 8
bits and one scale for each row.

The zeros are not whole numbers, and stay so. With whole ones a step of SmolLM2 135M took 12 ms
instead of 16, but its perplexity rose from 53 to 69.
Columns that give back what the rounding takes brought it to 53 again and the step to 14 ms, and made
a prompt of 1,500 tokens take 1.7 times as long: that kernel needs float32 activations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["shrink"]

Array = npt.NDArray[Any]

_GROUP = 32
"""How many weights share a scale in GGUF's formats."""

_FEWEST = 4096
"""Smaller matrices are left alone; reading them takes no time."""

_ROUNDING = 2.0**-7
"""How far a weight may be off, relative to the largest of its group: bfloat16, in which weights are
stored, has rounded it and the group's two ends, which give the scale, by 2^-9 each; scale and zero
are rounded to float16. Four bits for a group of any values would be off by 2^-5."""


def shrink(graph: Any) -> dict[str, int]:
    """Store the matrices of a graph in fewer bits.

    Returns:
        How many weights are stored as `u4` and as `i8`.
    """
    from openvino import Type

    counts = {"u4": 0, "i8": 0}
    for node in list(graph.get_ordered_ops()):
        if node.get_type_name() != "Constant" or node.get_output_element_type(0) != Type.f32:
            continue
        rows = np.asarray(node.data)
        if rows.ndim != 2 or rows.size < _FEWEST:
            continue
        kind, small = ("u4", made) if (made := _four_bits(rows)) else ("i8", _eight_bits(rows))
        counts[kind] += rows.size
        for reader in list(node.output(0).get_target_inputs()):
            reader.replace_source_output(small.output(0))
    graph.validate_nodes_and_infer_types()
    return counts


def _eight_bits(rows: Array) -> Any:
    from openvino import opset13 as op

    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-10) / 127
    whole = np.rint(rows / scale).astype(np.int8)
    half = op.convert(op.constant(whole), "f16")
    return op.convert(op.multiply(half, op.constant(scale.astype(np.float16))), "f32")


def _four_bits(rows: Array) -> Any:
    """Return the matrix in 4 bits; None when it is not one of sixteen values in each group."""
    from openvino import Shape, Tensor, Type
    from openvino import opset13 as op

    if rows.shape[1] % _GROUP:
        return None
    groups = rows.reshape(rows.shape[0], -1, _GROUP)
    low, high = groups.min(axis=-1, keepdims=True), groups.max(axis=-1, keepdims=True)
    scale = np.maximum((high - low) / 15, 1e-10).astype(np.float16)
    if not scale.all():
        return None
    zero = (-low / scale).astype(np.float16)
    step, start = scale.astype(np.float32), zero.astype(np.float32)
    whole = np.clip(np.rint(groups / step + start), 0, 15)
    error = np.abs((whole - start) * step - groups).max(axis=-1)
    if (error > _ROUNDING * np.abs(groups).max(axis=-1)).any():
        return None
    flat = whole.astype(np.uint8).reshape(-1)
    packed = Tensor(flat[::2] | (flat[1::2] << 4), Shape(list(groups.shape)), Type.u4)
    # A constant of a tensor reads the tensor's memory, which is gone when this returns.
    half = op.convert(op.constant(packed, shared_memory=False), "f16")
    full = op.multiply(op.subtract(half, op.constant(zero)), op.constant(scale))
    return op.convert(op.reshape(full, op.constant(list(rows.shape)), special_zero=False), "f32")

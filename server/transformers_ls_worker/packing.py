"""Linear layers whose weights lie as the CPU's matrix kernels read them.

torch multiplies with a weight as it is stored, and oneDNN then lays it out anew in each step, or
takes a kernel that needs no layout and is slower. Laid out once, the same product takes about two
thirds of the time for one token, and not much more for a few (`bench/worker_decode.py`). It is what
torch.compile does with the weights of a frozen model, without its minute of compiling.
"""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import nn

__all__ = ["PackedLinear", "pack"]

_DTYPES = (torch.bfloat16, torch.float32)

_SMALLEST = 2**14
"""How many weights a layer has at least; smaller ones are not worth another layout."""


class PackedLinear(nn.Module):  # type: ignore[misc] # torch is not typed here
    """A linear layer that holds its weight in oneDNN's layout only.

    Args:
        linear: The layer that it stands for.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features = linear.in_features
        self.out_features = linear.out_features
        self.bias = linear.bias
        # Models ask layers for the type of their weights; a tensor of `meta` has one and no bytes.
        self.weight = torch.empty_like(linear.weight, device="meta")
        ops: Any = torch.ops.mkldnn
        self._packed = ops._reorder_linear_weight(linear.weight.detach(), None)  # noqa: SLF001
        self._multiply = ops._linear_pointwise  # noqa: SLF001

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return `states` times the weight, plus the bias."""
        product: torch.Tensor = self._multiply(states, self._packed, self.bias, "none", [], "")
        return product

    def extra_repr(self) -> str:
        """Say what a linear layer says."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


def pack(model: nn.Module) -> int:
    """Replace the linear layers of a model on the CPU by packed ones, where that makes it faster.

    Layers that are more than their product (quantized ones, adapters) stay, and so do those that an
    adapter keeps by name, since it reads their weights.

    Returns:
        How many were replaced.
    """
    if not (torch.backends.mkldnn.is_available() and platform.machine() in ("x86_64", "AMD64")):
        return 0
    packed = 0
    with torch.inference_mode():
        for parent in list(model.modules()):
            if isinstance(parent, nn.ModuleDict):
                continue
            for name, layer in list(parent.named_children()):
                if type(layer) is nn.Linear and _worth_it(layer.weight):
                    setattr(parent, name, PackedLinear(layer).eval())
                    packed += 1
    return packed


def _worth_it(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype in _DTYPES and weight.numel() >= _SMALLEST

"""A decoder of transformers as an OpenVINO graph that keeps its own keys and values.

The model's own forward is traced once, whatever its architecture; nothing is written here for any
of them. What the trace would fix (how masks are made, where the cache begins) is given from outside:
the attention masks and the positions are inputs, and the cache is a plain concatenation. Keys and
values then become variables of the graph, in the form that OpenVINO's CPU plugin recognizes and
computes in one operation (`StatefulSDPAFusion`; optimum-intel builds the same).

Only OpenVINO's frontend is used, not its `convert_model`, which would send telemetry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

__all__ = ["MASK", "UnsupportedModelError", "trace"]

MASK = "mask."
"""What the name of a mask's input begins with; the rest is the kind of the layers that see it."""

_PAST, _PRESENT = "past.", "present."


class UnsupportedModelError(Exception):
    """A model has parts that this engine does not compute: its message says which."""


@dataclass(frozen=True, slots=True)
class _Shapes:
    kinds: tuple[str, ...]
    """The kinds of layers, each with a mask of its own."""
    states: tuple[tuple[int, int], ...]
    """Heads and their size, of the keys and the values of each layer in turn."""


def trace(model: Any) -> Any:
    """Return a graph of one step of a decoder.

    Its inputs are `input_ids` and `position_ids` (rows, tokens), one `mask.KIND` (rows, 1, tokens,
    tokens so far) that is added to the scores of attention, and `beam_idx` (rows), the rows
    themselves. Its output `logits` (rows, 1, vocabulary) are those of the last token.

    Args:
        model: The model, in float32.

    Raises:
        UnsupportedModelError: Its layers keep something else than keys and values.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    shapes = _shapes(model)
    step = _Step(model, shapes)
    with torch.no_grad():
        decoder = TorchScriptPythonDecoder(step, example_input=_example(shapes))
    frontend = FrontEndManager().load_by_framework("pytorch")
    graph = frontend.convert(frontend.load(decoder))
    _name(graph, shapes)
    _keep_states(graph, shapes)
    return graph


def _shapes(model: Any) -> _Shapes:
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    if {"dynamic", "longrope"} & {rope.get("rope_type"), *map(_rope_type, rope.values())}:
        raise UnsupportedModelError("its positions depend on the length of the text")
    with torch.no_grad():
        # Without a config, the cache of every layer keeps all tokens; the masks hide what is far.
        cache = DynamicCache()
        model(input_ids=torch.tensor([[0, 1, 2]]), past_key_values=cache, use_cache=True)
    states = []
    for layer in cache.layers:
        if type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer):
            raise UnsupportedModelError(f"a layer keeps a {type(layer).__name__}")
        for kept in (layer.keys, layer.values):
            if kept is None or kept.dim() != 4 or kept.shape[2] != 3:
                raise UnsupportedModelError(
                    "a layer does not keep one key and value for each token"
                )
            states.append((kept.shape[1], kept.shape[3]))
    if len(cache.layers) != config.num_hidden_layers:
        raise UnsupportedModelError("some layers keep no keys and values")
    kinds = tuple(sorted(set(getattr(config, "layer_types", None) or ["full_attention"])))
    if unknown := set(kinds) - {"full_attention", "sliding_attention"}:
        raise UnsupportedModelError(f"it has layers of the kind {min(unknown)}")
    if "sliding_attention" not in kinds and getattr(config, "sliding_window", None) is not None:
        kinds = ("sliding_attention",)
    return _Shapes(kinds, tuple(states))


def _rope_type(inner: Any) -> Any:
    return inner.get("rope_type") if isinstance(inner, dict) else None


class _Step(torch.nn.Module):  # type: ignore[misc]
    """The model as a function of plain tensors."""

    def __init__(self, model: Any, shapes: _Shapes) -> None:
        super().__init__()
        self.model = model
        self._shapes = shapes

    def forward(
        self, input_ids: torch.Tensor, position_ids: torch.Tensor, *rest: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the logits of the last token, and all keys and values."""
        from transformers import DynamicCache
        from transformers.cache_utils import DynamicLayer

        kinds = self._shapes.kinds
        masks, past = rest[: len(kinds)], rest[len(kinds) :]
        cache = DynamicCache()
        for keys, values in zip(past[::2], past[1::2], strict=True):
            layer = DynamicLayer()
            layer.dtype, layer.device = keys.dtype, keys.device
            layer.keys, layer.values, layer.is_initialized = keys, values, True
            cache.layers.append(layer)
        output = self.model(
            input_ids=input_ids,
            position_ids=position_ids,
            attention_mask=masks[0] if len(kinds) == 1 else dict(zip(kinds, masks, strict=True)),
            past_key_values=cache,
            use_cache=True,
            # Only the last token's scores are asked for: those of a long prompt take 300 MB.
            logits_to_keep=1,
        )
        states = [kept for layer in cache.layers for kept in (layer.keys, layer.values)]
        return (output.logits, *states)


def _example(shapes: _Shapes) -> tuple[torch.Tensor, ...]:
    # No two sizes are equal, so that none is taken for another.
    rows, past, new = 2, 5, 3
    mask = torch.zeros(rows, 1, new, past + new)
    return (
        torch.arange(new).expand(rows, new),
        torch.arange(past, past + new).expand(rows, new),
        *(mask for _ in shapes.kinds),
        *(torch.zeros(rows, heads, past, size) for heads, size in shapes.states),
    )


def _name(graph: Any, shapes: _Shapes) -> None:
    """Give inputs and outputs their names, and leave rows and tokens open."""
    from openvino import PartialShape

    masks = [MASK + kind for kind in shapes.kinds]
    past = [f"{_PAST}{number}" for number in range(len(shapes.states))]
    names = ["input_ids", "position_ids", *masks, *past]
    if len(graph.inputs) != len(names):
        raise UnsupportedModelError("a mask or the positions are not used")
    sizes = {name: [-1, -1] for name in names[:2]}
    sizes |= {name: [-1, 1, -1, -1] for name in masks}
    sizes |= {name: [-1, h, -1, s] for name, (h, s) in zip(past, shapes.states, strict=True)}
    for port, name in zip(graph.inputs, names, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_partial_shape(PartialShape(sizes[name]))
    for number, port in enumerate(graph.outputs):
        port.get_tensor().set_names({"logits" if not number else f"{_PRESENT}{number - 1}"})
    graph.validate_nodes_and_infer_types()


def _keep_states(graph: Any, shapes: _Shapes) -> None:
    """Make variables of keys and values, which are empty at first."""
    from openvino import Type
    from openvino import opset13 as op
    from openvino._offline_transformations import apply_make_stateful_transformation

    rows = op.parameter([-1], Type.i32, name="beam_idx")
    rows.output(0).get_tensor().set_names({"beam_idx"})
    graph.add_parameters([rows])
    names = [f"{_PAST}{number}" for number in range(len(shapes.states))]
    for name in names:
        port = graph.input(name)
        readers = list(port.get_target_inputs())
        chosen = op.gather(port, rows, op.constant(0))
        for reader in readers:
            reader.replace_source_output(chosen.output(0))
    graph.validate_nodes_and_infer_types()
    apply_make_stateful_transformation(
        graph, {name: _PRESENT + name.removeprefix(_PAST) for name in names}
    )
    count = op.gather(
        op.shape_of(graph.input("input_ids"), output_type="i64"), op.constant([0]), op.constant(0)
    )
    for node in graph.get_ops():
        if node.get_type_name() == "ReadValue":
            shape = node.get_output_partial_shape(0)
            rest = np.array([shape[1].get_length(), 0, shape[3].get_length()], dtype=np.int64)
            full = op.concat([count, op.constant(rest)], 0)
            zero = op.constant(0.0, dtype=node.get_output_element_type(0))
            node.set_arguments([op.broadcast(zero, full)])
    graph.validate_nodes_and_infer_types()

"""Lets a graph look tokens up in the weights of its last layer, where a model has them only once.

ONNX Runtime GenAI's model builder writes such weights twice: in 8 bits for the product at the end,
and in 32 bits for the embedding at the beginning, which is most of the file of a small model with a
large vocabulary (Gemma 3 270M: 671 of 1,040 MB).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir

__all__ = ["share_table"]

_ZERO = 128.0
"""What stands for 0 in 8 bits without a sign; see `MatMulNBits` in ONNX Runtime's ContribOperators.md."""


def share_table(graph_file: Path) -> bool:
    """Read embeddings from the last layer's weights of 8 bits; the caller knows that they are tied.

    Args:
        graph_file: The graph, whose weights are in a file beside it; both are written anew.

    Returns:
        Whether there was such a table; otherwise nothing is changed.
    """
    model = ir.load(graph_file)
    graph = model.graph
    lookup = next((n for n in graph if n.op_type == "Gather" and _is_table(n.inputs[0])), None)
    head = next(
        (n for n in graph if n.op_type == "MatMulNBits" and n.outputs[0].name == "logits"), None
    )
    if lookup is None or head is None or len(head.inputs) != 3:
        return False
    table, ids = lookup.inputs
    weights, scales = head.inputs[1:]
    if table is None or weights is None or scales is None or weights.shape is None:
        return False
    rows, groups, size = weights.shape
    if head.attributes["bits"].as_int() != 8 or table.shape != (rows, groups * size):
        return False
    zero = _constant(graph, "embedding.zero", np.array(_ZERO, np.float32))
    last = _constant(graph, "embedding.last_axis", np.array([-1], np.int64))
    whole = _constant(graph, "embedding.shape", np.array([0, 0, groups * size], np.int64))
    stored = ir.node("Gather", [weights, ids])
    numbers = ir.node("Cast", stored.outputs, {"to": ir.DataType.FLOAT})
    centred = ir.node("Sub", [*numbers.outputs, zero])
    factors = ir.node("Gather", [scales, ids])
    columns = ir.node("Unsqueeze", [*factors.outputs, last])
    scaled = ir.node("Mul", [*centred.outputs, *columns.outputs])
    found = ir.node("Reshape", [*scaled.outputs, whole])
    graph.insert_before(lookup, [stored, numbers, centred, factors, columns, scaled, found])
    ir.convenience.replace_all_uses_with(lookup.outputs, found.outputs)
    graph.remove(lookup, safe=True)
    del graph.initializers[str(table.name)]
    _write(model, graph_file)
    return True


def _is_table(value: ir.Value | None) -> bool:
    """Whether a node looks up rows of weights."""
    return (
        value is not None
        and value.const_value is not None
        and value.dtype == ir.DataType.FLOAT
        and len(value.const_value.shape) == 2
    )


def _constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.shape, value.dtype = ir.Shape(array.shape), ir.tensor(array).dtype
    graph.register_initializer(value)
    return value


def _write(model: ir.Model, graph_file: Path) -> None:
    # The weights are read from the old file while the new one is written.
    new = graph_file.with_name("shared")
    new.mkdir()
    data = f"{graph_file.name}.data"
    ir.save(model, new / graph_file.name, external_data=data)
    for name in (graph_file.name, data):
        (new / name).replace(graph_file.with_name(name))
    new.rmdir()

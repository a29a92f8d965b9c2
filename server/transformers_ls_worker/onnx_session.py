"""The steps of a decoder that ONNX Runtime computes, with the keys and values between them.

The graphs are those of ONNX Runtime GenAI's model builder, whose attention (`GroupQueryAttention`)
reads and writes keys and values in place: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["FACTS", "GRAPH", "Graph", "Session"]

GRAPH, FACTS = "model.onnx", "facts.json"
"""The files that `onnx_export` writes."""

_AT_ONCE = 64
"""How many tokens of a prompt are computed between two questions whether the run was aborted: a
tenth of a second for SmolLM2 135M. Larger parts are no faster."""

_ROOM = 256
"""The room for keys and values grows by at least so many tokens."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _State:
    """The keys or the values of one layer."""

    past: str
    """The input's name; it has the shape (rows, heads, tokens, size)."""
    present: str
    """The output's name."""
    heads: int
    size: int


class Graph:
    """A decoder from the folder that `onnx_export` wrote.

    Args:
        folder: The folder.
        threads: How many threads compute.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # A thread that waits in a loop takes the core from the editor: a step of SmolLM2 135M took
        # twice as long beside other work, for a fifth less on an idle machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        providers = ["CPUExecutionProvider"]
        self.session: Any = onnxruntime.InferenceSession(folder / GRAPH, options, providers)
        size = facts["head_size"]
        self.states = [
            _State(port.name, port.name.replace("past_key_values", "present"), port.shape[1], size)
            for port in self.session.get_inputs()
            if port.name.startswith("past_key_values.")
        ]
        self.takes_positions = any(
            port.name == "position_ids" for port in self.session.get_inputs()
        )
        self.vocabulary: int = facts["vocabulary"]
        """How many tokens it knows."""
        self.weights: str = facts["weights"]
        """What the weights are stored as: `int8`."""


class Session:
    """Some rows of a batch, and the steps that add to them.

    A prompt is computed row by row, without padding; then all rows get their next token together.

    Args:
        graph: The decoder.
        attention_mask: Which of the prompts' tokens count (1) or are padding (0), which comes first;
            shape (rows, tokens).
        wait: Called now and then; an exception out of it ends a step.
    """

    def __init__(
        self, graph: Graph, attention_mask: torch.Tensor, wait: Callable[[], None] = lambda: None
    ) -> None:
        self._graph = graph
        self._wait = wait
        self._padding: Array = (attention_mask == 0).sum(-1).numpy()
        """How many tokens that do not count each row still begins with."""
        self._lengths: Array = np.zeros(len(attention_mask), dtype=np.int64)
        """How many tokens each row has so far."""
        self._room = 0
        self._kept: list[Array] = []
        """Keys and values, for each state in turn; shape (rows, heads, room, size)."""
        self._binding = graph.session.io_binding()
        self._bound: slice | None = None
        """The rows whose keys and values are bound."""

    def spread(self, rows: int) -> None:
        """Let each of some rows go on from the first one's keys and values."""
        self._kept = [np.repeat(kept[:1], rows, axis=0) for kept in self._kept]
        self._lengths = np.repeat(self._lengths[:1], rows)
        self._padding = np.repeat(self._padding[:1], rows)
        self._bound = None

    def step(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Compute the next tokens of each row; return the scores of what follows the last.

        Args:
            input_ids: Shape (rows, tokens).

        Returns:
            Float32 of the shape (rows, vocabulary).
        """
        ids: Array = input_ids.numpy()
        new = ids.shape[1]
        self._make_room(int(self._lengths.max()) + new)
        if new == 1 and not self._padding.any():
            return torch.from_numpy(self._run(slice(None), ids))
        skipped = np.minimum(self._padding, new - 1)
        self._padding = self._padding - skipped
        rows = [self._prompt(row, ids[row, skip:]) for row, skip in enumerate(skipped)]
        return torch.from_numpy(np.concatenate(rows))

    def _prompt(self, row: int, ids: Array) -> Array:
        for start in range(0, len(ids), _AT_ONCE):
            self._wait()
            scores = self._run(slice(row, row + 1), ids[None, start : start + _AT_ONCE])
        return scores

    def _run(self, rows: slice, ids: Array) -> Array:
        """Compute some more tokens of some rows; return the scores of what follows the last."""
        graph, binding = self._graph, self._binding
        self._bind(rows)
        before = self._lengths[rows]
        after = self._lengths[rows] = before + ids.shape[1]
        # Its sums say how many tokens each row has; new ones are written behind the earlier ones.
        mask = (np.arange(after.max()) < after[:, None]).astype(np.int64)
        binding.bind_cpu_input("input_ids", np.ascontiguousarray(ids))
        binding.bind_cpu_input("attention_mask", mask)
        if graph.takes_positions:
            places = before[:, None] + np.arange(ids.shape[1])
            binding.bind_cpu_input("position_ids", places)
        scores = np.empty((len(ids), 1, graph.vocabulary), dtype=np.float32)
        _bind_in_place(binding.bind_output, "logits", scores)
        graph.session.run_with_iobinding(binding)
        return scores[:, 0]

    def _bind(self, rows: slice) -> None:
        if self._bound == rows:
            return
        for state, kept in zip(self._graph.states, self._kept, strict=True):
            _bind_in_place(self._binding.bind_input, state.past, kept[rows])
            _bind_in_place(self._binding.bind_output, state.present, kept[rows])
        self._bound = rows

    def _make_room(self, tokens: int) -> None:
        if tokens <= self._room:
            return
        # By half as much again, so that a long answer is not copied at each step.
        room = max(tokens + _ROOM, self._room * 3 // 2)
        rows = len(self._lengths)
        more = [
            np.zeros((rows, state.heads, room, state.size), dtype=np.float32)
            for state in self._graph.states
        ]
        for new, old in zip(more, self._kept, strict=False):
            new[:, :, : self._room] = old
        self._kept, self._room, self._bound = more, room, None


def _bind_in_place(bind: Callable[..., None], name: str, array: Array) -> None:
    """Let a graph read or write an array where it is."""
    bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)

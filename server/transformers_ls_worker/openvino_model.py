"""A decoder that OpenVINO computes, with transformers' `generate` around it.

`generate` prepares all that is asked of an answer (how scores are changed, when it ends, the seed)
as for any model; only its loop is replaced by one that keeps no cache in Python.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import GenerationMixin

from transformers_ls_worker.device import decoding_threads
from transformers_ls_worker.openvino_graph import MASK

__all__ = ["FACTS", "GRAPH", "OpenVinoModel"]

GRAPH, FACTS = "graph.xml", "facts.json"
"""The files that `openvino_export` writes."""

_AT_ONCE = 4096
"""How many tokens of a prompt are computed in one step, whose mask grows with their square. More
steps would be slower: the plugin's fast kernel takes no earlier keys and values."""

_ASK_MILLISECONDS = 20
"""How often a long step asks whether its run was aborted."""

_HIDDEN = -65504.0
"""Added to the score of a token that is not seen: exp of it is 0 in every precision, and unlike the
infinity it gives a padding token, which sees nothing, no NaN."""

Array = npt.NDArray[Any]


class OpenVinoModel(torch.nn.Module, GenerationMixin):  # type: ignore[misc]
    """A decoder from the folder that `openvino_export` wrote.

    Args:
        folder: The folder.
        config: The model's config.
        generation_config: Its settings for `generate`.
        options: For the plugin, beside its own.
    """

    main_input_name = "input_ids"
    _is_stateful = True

    def __init__(self, folder: Path, config: Any, generation_config: Any, **options: Any) -> None:
        import openvino

        super().__init__()
        self.config = config
        self.generation_config = generation_config
        self.device = torch.device("cpu")
        # The number holds for prompts too: it is part of the compiled graph.
        options = {"INFERENCE_NUM_THREADS": decoding_threads(), **options}
        core = openvino.Core()
        self._compiled = core.compile_model(core.read_model(folder / GRAPH), "CPU", options)
        self._masks = [name for name in map(_any_name, self._compiled.inputs) if MASK in name]
        window = getattr(config.get_text_config(decoder=True), "sliding_window", None)
        self._window: int | None = window
        # What asks for an abort before each layer of a model asks before each call of these.
        self.waits = torch.nn.ModuleList([torch.nn.Identity()])
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self.weights: str = facts["weights"]
        """What the weights are stored as: `u4 and i8`."""
        self.vocabulary: int = facts["vocabulary"]
        """How many tokens it knows."""

    @property
    def dtype_name(self) -> str:
        """How the weights are stored and who computes: `u4 and i8 (OpenVINO)`."""
        return f"{self.weights} (OpenVINO)"

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def can_generate(self) -> bool:
        """As every model says that `generate` is for."""
        return True

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the scores of what follows some prompts, each up to its end."""
        return Session(self, attention_mask).step(input_ids)

    def generate(self, *inputs: Any, **options: Any) -> Any:
        """As any model, but for the loop."""
        return super().generate(*inputs, custom_generate=_decode, **options)


class Session:
    """The keys and values of some rows, and the steps that add to them.

    Args:
        model: The model.
        attention_mask: Which of the prompts' tokens count (1) or are padding (0).
    """

    def __init__(self, model: OpenVinoModel, attention_mask: torch.Tensor) -> None:
        self._model = model
        self._request = model._compiled.create_infer_request()  # noqa: SLF001
        self._counts: Array = attention_mask.numpy().astype(bool)
        self._past = 0
        self._sources: Array = np.arange(len(self._counts), dtype="i4")
        """Which row of the last step each row of the next one goes on from."""

    def spread(self, rows: int) -> None:
        """Let each of some rows go on from the first one's keys and values."""
        self._counts = np.repeat(self._counts[:1], rows, axis=0)
        self._sources = np.zeros(rows, dtype="i4")

    def step(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Compute the next tokens of each row; return the scores of what follows the last."""
        ids: Array = input_ids.numpy()
        for start in range(0, ids.shape[1], _AT_ONCE):
            self._some(ids[:, start : start + _AT_ONCE])
        scores = self._request.get_output_tensor(0).data[:, -1].astype(np.float32)
        return torch.from_numpy(scores)

    def _some(self, ids: Array) -> None:
        new = ids.shape[1]
        end = self._past + new
        if self._counts.shape[1] < end:
            more = np.ones((len(ids), end - self._counts.shape[1]), dtype=bool)
            self._counts = np.concatenate([self._counts, more], axis=1)
        counts = self._counts[:, :end]
        places = np.maximum(np.cumsum(counts, axis=1) - 1, 0)[:, self._past :]
        inputs = {"input_ids": ids, "position_ids": places, "beam_idx": self._sources}
        self._sources = np.arange(len(ids), dtype="i4")
        for name in self._model._masks:  # noqa: SLF001
            window = self._model._window if "sliding" in name else None  # noqa: SLF001
            inputs[name] = _mask(counts, new, window)
        self._past = end
        if new == 1:
            self._request.infer(inputs)
            return
        # A long prompt takes seconds, in which its run may be aborted.
        self._request.start_async(inputs)
        try:
            while not self._request.wait_for(_ASK_MILLISECONDS):
                for wait in self._model.waits:
                    wait(None)
        except BaseException:
            self._request.cancel()
            raise


def _mask(counts: Array, new: int, window: int | None) -> Array:
    """Return what is added to the scores of the last `new` tokens for each token so far."""
    end = counts.shape[1]
    own = np.arange(end - new, end)[:, None]
    others = np.arange(end)[None]
    seen = others <= own
    if window is not None:
        seen &= own - others < window
    return np.where(seen & counts[:, None, None], np.float32(0), np.float32(_HIDDEN))


def _decode(
    model: OpenVinoModel,
    input_ids: torch.Tensor,
    *,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **model_kwargs: Any,
) -> torch.Tensor:
    """Decode; a `custom_generate`."""
    mask = model_kwargs.get("attention_mask")
    session = Session(model, torch.ones_like(input_ids) if mask is None else mask)
    padding = generation_config._pad_token_tensor  # noqa: SLF001
    over = torch.zeros(input_ids.shape[0], dtype=torch.bool)
    tokens = input_ids
    while True:
        scores = logits_processor(input_ids, session.step(tokens))
        if generation_config.do_sample:
            tokens = torch.multinomial(scores.softmax(-1), 1)
        else:
            tokens = scores.argmax(-1, keepdim=True)
        if padding is not None:
            tokens = torch.where(over[:, None], padding, tokens)
        input_ids = torch.cat([input_ids, tokens], dim=1)
        over = over | stopping_criteria(input_ids, None)
        if over.all():
            return input_ids


def _any_name(port: Any) -> str:
    return str(port.get_any_name())

"""A decoder that ONNX Runtime computes, with transformers' `generate` around it.

`generate` prepares all that is asked of an answer (how scores are changed, when it ends, the seed)
as for any model; only its loop is replaced by one that keeps no cache in Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import GenerationMixin

from transformers_ls_worker.device import all_threads
from transformers_ls_worker.onnx_session import Graph, Session

__all__ = ["OnnxModel"]


class OnnxModel(torch.nn.Module, GenerationMixin):  # type: ignore[misc]
    """A decoder from the folder that `onnx_export` wrote.

    Args:
        folder: The folder.
        config: The model's config.
        generation_config: Its settings for `generate`.
    """

    main_input_name = "input_ids"
    _is_stateful = True

    def __init__(self, folder: Path, config: Any, generation_config: Any) -> None:
        super().__init__()
        self.config = config
        self.generation_config = generation_config
        self.device = torch.device("cpu")
        self._graph = Graph(folder, all_threads())
        # What asks for an abort before each layer of a model asks before each call of these.
        self._waits = torch.nn.ModuleList([torch.nn.Identity()])

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows."""
        return self._graph.vocabulary

    @property
    def dtype_name(self) -> str:
        """How the weights are stored and who computes: `int8 (ONNX Runtime)`."""
        return f"{self._graph.weights} (ONNX Runtime)"

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def can_generate(self) -> bool:
        """As every model says that `generate` is for."""
        return True

    def begin(self, attention_mask: torch.Tensor) -> Session:
        """Begin some rows; see `Session`."""

        def wait() -> None:
            for asks in self._waits:
                asks(None)

        return Session(self._graph, attention_mask, wait)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the scores of what follows some prompts, each up to its end."""
        return self.begin(attention_mask).step(input_ids)

    def generate(self, *inputs: Any, **options: Any) -> Any:
        """As any model, but for the loop."""
        return super().generate(*inputs, custom_generate=_decode, **options)


def _decode(
    model: OnnxModel,
    input_ids: torch.Tensor,
    *,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **model_kwargs: Any,
) -> torch.Tensor:
    """Decode; a `custom_generate`."""
    mask = model_kwargs.get("attention_mask")
    session = model.begin(torch.ones_like(input_ids) if mask is None else mask)
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

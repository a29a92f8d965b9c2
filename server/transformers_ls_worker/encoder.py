"""Runs the windows of a run through its model: in batches, in turn with others, until an abort."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

from transformers_ls_worker.device import Placement, use_threads
from transformers_ls_worker.failures import is_out_of_memory
from transformers_ls_worker.layers import before_each_layer
from transformers_ls_worker.loading import LoadedModel
from transformers_ls_worker.memory import give_back
from transformers_ls_worker.windows import Frame, Inputs, Tokens, Window, cut, make_frame, tokenize

__all__ = ["Encoder", "Take"]

Take: TypeAlias = Callable[[Any, torch.Tensor], list[torch.Tensor]]
"""Takes what is needed of each row from a batch's output and its attention mask (as booleans)."""

_TOGETHER = {"cpu": 2048}
"""How many tokens are computed at once. On the CPU a few windows keep all cores busy (measured with
BERT base: eight of 512 tokens no faster than four); more would only take memory."""

_TOGETHER_ON_ACCELERATORS = 32_768
"""About 1 GB of activations for an encoder of BERT large's size, by reckoning: no GPU was there to
measure it. Where it is too much, it is halved."""


class Encoder:
    """A loaded model, and how a run may compute with it.

    Args:
        loaded: The model.
        placement: What it runs on.
        check: Called before each layer; lets others compute, and raises `RunAborted`.
        tell: Called with the percentage that is computed, when there are several batches.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        placement: Placement,
        check: Callable[[], None],
        tell: Callable[[int], None],
    ) -> None:
        self.model = loaded.model
        self.tokenizer = loaded.tokenizer
        self.config = loaded.model.config
        self.device = placement.device
        self.takes = frozenset(inspect.signature(loaded.model.forward).parameters)
        """The names of the model's inputs."""
        self.computed = 0
        """How many tokens were computed so far."""
        self.tell = tell
        self._window = loaded.window or 512
        self._placement = placement
        self._check = check
        self._together = _TOGETHER.get(placement.device.type, _TOGETHER_ON_ACCELERATORS)
        padding = self.config.get_text_config().pad_token_id
        # Some heads find the last token by the config's padding: rows of unequal length need one.
        if padding is None or padding != self.tokenizer.pad_token_id:
            self._together = 1

    def frame(self, other: str | None = None, *, other_first: bool = False) -> Frame:
        """Return what stands around a text in the model's input; see `make_frame`."""
        return make_frame(self.tokenizer, other, other_first=other_first)

    def tokenize(self, text: str) -> Tokens:
        """Return the tokens of a text."""
        return tokenize(self.tokenizer, text)

    def windows(
        self, tokens: Tokens, *frames: Frame, most: int | None = None, less: int = 0
    ) -> list[Window]:
        """Cut a text into windows that fit the model in each of the frames.

        Args:
            tokens: The text.
            frames: What stands around it.
            most: How many tokens the model may get at once, if less than it can take.
            less: How many tokens are needed for something else.
        """
        return cut(tokens, min(self.room(frame, most=most) for frame in frames) - less)

    def room(self, frame: Frame, *, most: int | None = None) -> int:
        """Return how many tokens of a text the model takes at once; see `windows`."""
        return (self._window if most is None else min(most, self._window)) - frame.size

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute with the model inside of this, so that the run can be paused and aborted."""
        use_threads(self._placement, "prompt")
        with before_each_layer(self.model, self._check), torch.inference_mode():
            self._check()
            yield

    def run(self, rows: Sequence[Inputs], take: Take) -> list[torch.Tensor]:
        """Compute rows, and return what `take` takes of each, in float32 on the CPU.

        Rows of about the same length are computed together, so that little of a batch is padding;
        where the memory does not suffice, half as many from then on.
        """
        found: dict[int, torch.Tensor] = {}
        sizes = [len(row["input_ids"]) for row in rows]
        waiting = sorted(range(len(rows)), key=sizes.__getitem__)
        total, done = max(1, sum(sizes)), 0
        with self.computing():
            while waiting:
                self._check()
                batch = waiting[-max(1, self._together // max(1, sizes[waiting[-1]])) :]
                taken = self._compute([rows[number] for number in batch], take)
                if taken is None:
                    give_back(self._placement.device)
                    self._together = sizes[batch[-1]] * (len(batch) // 2)
                    continue
                found.update(zip(batch, taken, strict=True))
                del waiting[-len(batch) :]
                done += sum(sizes[number] for number in batch)
                if waiting or done > sum(sizes[number] for number in batch):
                    self.tell(100 * done // total)
        self.computed += total
        return [found[number] for number in range(len(rows))]

    def _compute(self, rows: Sequence[Inputs], take: Take) -> list[torch.Tensor] | None:
        """Compute a batch; None when it was too large for the memory."""
        try:
            batch = self.tokenizer.pad(
                {name: [row[name] for row in rows] for name in rows[0]},
                return_attention_mask=True,
                return_tensors="pt",
                verbose=False,
            ).to(self._placement.device)
            inputs = {name: value for name, value in batch.items() if name in self.takes}
            if "use_cache" in self.takes:
                inputs["use_cache"] = False
            output = self.model(**inputs)
            return [taken.float().cpu() for taken in take(output, batch["attention_mask"].bool())]
        except Exception as error:
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
        # Out of the handler: the exception would hold the tensors that filled the memory.
        return None

"""Some rows through `model.generate`, with what makes it faster where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import torch

from transformers_ls_worker.drafts import decode_with_drafts
from transformers_ls_worker.loading import LoadedModel
from transformers_ls_worker.prefixes import keeps_each_token
from transformers_ls_worker.rows import Row

__all__ = ["CacheKind", "cache_kind", "decode"]

CacheKind: TypeAlias = Literal["dynamic", "static"]
"""`dynamic` grows with the text. `static` has its final size from the start, and makes `generate`
compile the step with CUDA graphs, which takes a minute and then saves the launch of each kernel."""

Take: TypeAlias = Callable[[list[list[int]]], list[bool]]
"""Takes the new tokens of each row after a step; says which rows are over."""


def cache_kind(_device: torch.device) -> CacheKind:
    """Return how the keys and values of an answer are kept on a device.

    `static` was not measured on a GPU yet (`bench/gpu.py` compares both there), and on a CPU it
    compiles for longer than an answer takes.
    """
    return "dynamic"


def decode(
    rows: Sequence[Row],
    loaded: LoadedModel,
    options: dict[str, Any],
    take: Take,
    *,
    drafts: bool = False,
    cache: CacheKind = "dynamic",
) -> int:
    """Compute the answers of rows together, up to their ends.

    Args:
        rows: What to answer; those that have a part of their answer go on from it.
        loaded: The model.
        options: For `generate`.
        take: Takes the tokens.
        drafts: Whether tokens are drafted from the prompt; only for one row, decoded greedily.
        cache: How keys and values are kept.

    Returns:
        How many tokens of the prompts were not computed, since earlier ones began with them.
    """
    from transformers import StoppingCriteriaList

    options = dict(options)
    reused = 0
    if cache == "static":
        options["cache_implementation"] = "static"
    elif not loaded.encodes and keeps_each_token(loaded.model):
        # After a lack of memory, nothing is computed that is not needed at once.
        begun = any(row.answer for row in rows)
        prompts = [row.ids for row in rows]
        beginning = None if begun else loaded.prefixes.begin(loaded.model, prompts)
        if beginning is not None:
            options["past_key_values"] = beginning.cache
            reused = beginning.reused_tokens
        if drafts and len(rows) == 1:
            options["custom_generate"] = decode_with_drafts
    loaded.model.generate(
        **_inputs(rows, loaded, options["pad_token_id"], loaded.model.device),
        stopping_criteria=StoppingCriteriaList([_Tap(take)]),
        max_new_tokens=max(row.room for row in rows),
        **options,
    )
    return reused


def _inputs(
    rows: Sequence[Row], loaded: LoadedModel, padding: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Return the tensors that rows begin, or after a lack of memory go on, from.

    A decoder's rows end at the same place, where the new tokens come; an encoder's begin there,
    since it counts positions from the first token, padding or not.
    """
    if not loaded.encodes:
        texts = [row.ids + row.answer for row in rows]
        longest = max(map(len, texts))
        # A token that the row has anyway: a penalty for what is in a text looks at padding too.
        inputs = [ids[:1] * (longest - len(ids)) + ids for ids in texts]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in texts]
    else:
        texts = [row.ids for row in rows]
        longest = max(map(len, texts))
        inputs = [ids + [padding] * (longest - len(ids)) for ids in texts]
        mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts]
    tensors = {
        "input_ids": torch.tensor(inputs, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }
    if loaded.encodes and rows[0].answer:
        start = loaded.model.generation_config.decoder_start_token_id
        # Rows that are not over have got a token in every step, so they are equally long.
        begun = [[start, *row.answer] for row in rows]
        tensors["decoder_input_ids"] = torch.tensor(begun, device=device)
    return tensors


class _Tap:
    """A stopping criterion that sees each step's tokens at once, before the next is computed.

    A streamer would see them one step later: `generate` asks its criteria first.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._seen: int | None = None

    def __call__(self, input_ids: Any, _scores: Any, **_kwargs: Any) -> Any:
        length = input_ids.shape[1]
        # The first step has one token, whatever stands before it.
        start = length - 1 if self._seen is None else self._seen
        self._seen = length
        over = self._take(input_ids[:, start:].tolist())
        return torch.tensor(over, device=input_ids.device, dtype=torch.bool)

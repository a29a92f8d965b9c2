"""Prompt lookup decoding: where an answer repeats its prompt, several tokens come in one step.

The last tokens are looked up in the prompt and the answer so far, and what came after them there is
tried as what comes next. The model computes all tried tokens at once, and those up to its first
disagreement are taken: the tokens of greedy decoding, in fewer steps. A CPU computes eight tokens
of one row in little more time than one, since reading the weights is most of the work.

In bfloat16 a product of several rows may be rounded otherwise than the same product of one row, so
where two tokens are almost as likely, the other one may win. The same request is always computed in
the same steps, and has the same answer.

transformers has the same as `prompt_lookup_num_tokens`, but it always computes the whole prompt,
and it drafts from the first place that matches, not from where the copying was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["Drafts", "decode_with_drafts"]

_MATCH = (3, 2)
"""How many last tokens are looked up: the longer match first."""

_FEWEST, _MOST = 2, 16
"""How many tokens are tried at once: twice as many after a draft that was right to its end."""


class Drafts:
    """Guesses what comes next in a text by what came next before.

    Args:
        tokens: The prompt.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._ends: dict[tuple[int, ...], list[int]] = defaultdict(list)
        """Behind which tokens a sequence of a few was met, in order."""
        self._place = 0
        """Up to where the text was copied last."""
        self._size = 4
        self.extend(tokens)

    def extend(self, tokens: Sequence[int]) -> None:
        """Take the next tokens of the text."""
        for token in tokens:
            # What ends here is looked up later only: it must not be found behind itself.
            for size in _MATCH:
                if len(self._tokens) >= size:
                    self._ends[tuple(self._tokens[-size:])].append(len(self._tokens))
            self._tokens.append(token)

    def next(self, most: int) -> list[int]:
        """Return at most `most` tokens that may come next; none where nothing matches."""
        for size in _MATCH:
            if places := self._ends.get(tuple(self._tokens[-size:])):
                # A copy goes on from where it was; else what was said last is most likely.
                index = min(bisect_left(places, self._place), len(places) - 1)
                self._place = places[index]
                return self._tokens[self._place : self._place + min(self._size, most)]
        return []

    def judge(self, tried: int, right: int) -> None:
        """Take notice of how many tried tokens were right."""
        self._place += right
        if tried:
            self._size = min(_MOST, 2 * tried) if right == tried else max(_FEWEST, right)


def decode_with_drafts(
    model: Any,
    input_ids: torch.Tensor,
    *,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: Any,
    **model_kwargs: Any,
) -> torch.Tensor:
    """Decode one row greedily; a `custom_generate` of `model.generate`.

    Args:
        model: A decoder whose cache can be cropped.
        input_ids: The prompt.
        logits_processor: Applied to the scores of each token.
        stopping_criteria: Asked after each step.
        generation_config: Has the length at most.
        model_kwargs: The rest of what `generate` has prepared, the cache above all.

    Returns:
        The prompt and the answer.
    """
    cache = model_kwargs["past_key_values"]
    # All tokens of a row without padding are seen, each at its own place.
    model_kwargs |= {"attention_mask": None, "position_ids": None}
    drafts = Drafts(input_ids[0].tolist())
    first, over = True, False
    while not over:
        length = input_ids.shape[1]
        # The prompt's step is shared with nothing: its shape depends on the prompt alone.
        room = generation_config.max_length - length - 1
        tried = [] if first else drafts.next(room)
        ids = torch.cat([input_ids, input_ids.new_tensor([tried], dtype=torch.long)], dim=1)
        inputs = model.prepare_inputs_for_generation(
            ids,
            next_sequence_length=ids.shape[1] - cache.get_seq_length(),
            is_first_iteration=first,
            **model_kwargs,
        )
        if "logits_to_keep" in inputs:
            inputs["logits_to_keep"] = len(tried) + 1
        logits = model(**inputs, return_dict=True).logits[:, -len(tried) - 1 :].float()
        scores = [
            logits_processor(ids[:, : length + place], logits[:, place])
            for place in range(len(tried) + 1)
        ]
        best = torch.stack([score.argmax(dim=-1) for score in scores], dim=1)
        found = best[0].tolist()
        right = next((n for n, token in enumerate(tried) if token != found[n]), len(tried))
        if first:
            cache.activate_past_recording()
            first = False
        else:
            cache.crop(right - len(tried))
        drafts.judge(len(tried), right)
        drafts.extend(found[: right + 1])
        input_ids = torch.cat([input_ids, best[:, : right + 1]], dim=1)
        over = bool(stopping_criteria(input_ids, None).all())
    return input_ids

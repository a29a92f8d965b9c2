"""Fills the mask of a text, as transformers' fill-mask pipeline does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError

__all__ = ["fill_masks"]

_SPELLINGS = ("[MASK]", "<mask>")
"""How BERT and RoBERTa write a mask: people write either, whatever the model's own is."""

_ANSWERS = 5
"""The pipeline's default."""


def fill_masks(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Find what may stand in place of the one mask of each text.

    Of a text that does not fit, the model sees the window around the mask.

    Raises:
        RunError: There is no mask or more than one, or a word to choose from is no single token.
    """
    return [_fill(text, request, encoder) for text in request.texts]


def _fill(text: str, request: wire.Infer, encoder: Encoder) -> list[dict[str, Any]]:
    tokenizer = encoder.tokenizer
    if tokenizer.mask_token_id is None:
        raise RunError(
            "model-unfit",
            "The model's tokenizer has no mask.",
            "Choose a masked language model, such as google-bert/bert-base-uncased.",
        )
    mask = str(tokenizer.mask_token)
    if mask not in text:
        for spelling in _SPELLINGS:
            text = text.replace(spelling, mask)
    tokens = encoder.tokenize(text)
    places = [place for place, token in enumerate(tokens.ids) if token == tokenizer.mask_token_id]
    if len(places) != 1:
        raise RunError(
            "text-unfit",
            f"The text has {len(places) or 'no'} masks, where one is needed.",
            f"Write {mask} in place of the word to find.",
        )
    frame = encoder.frame()
    room = encoder.room(frame)
    start = max(0, min(places[0] - room // 2, len(tokens.ids) - room))
    row = frame.around(tokens.ids[start : start + room])
    place = frame.start + places[0] - start

    def at_mask(output: Any, _mask: torch.Tensor) -> list[torch.Tensor]:
        return [output.logits[0, place]]

    scores = encoder.run([row], at_mask)[0].softmax(-1)
    allowed = _tokens(tokenizer, request.labels)
    if allowed:
        best = sorted(allowed, key=lambda token: -float(scores[token]))
    else:
        best = scores.topk(min(request.top_k or _ANSWERS, len(scores))).indices.tolist()
    before, _, after = text.partition(mask)
    return [
        {
            "score": float(scores[token]),
            "token": token,
            "token_str": tokenizer.decode([token]),
            "sequence": _sequence(tokenizer, before, token, after),
        }
        for token in best[: request.top_k or _ANSWERS]
    ]


def _tokens(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """Return the tokens of words; within a text a word is often another token than alone."""
    found = []
    for word in words:
        forms = [tokenizer(form, add_special_tokens=False).input_ids for form in (f" {word}", word)]
        token = next((ids[0] for ids in forms if len(ids) == 1), None)
        if token is None or token == tokenizer.unk_token_id:
            raise RunError(
                "text-unfit",
                "Not every word to choose from is a single token of the model.",
                "Leave out the long and the rare ones.",
            )
        found.append(token)
    return list(dict.fromkeys(found))


def _sequence(tokenizer: Any, before: str, token: int, after: str) -> str:
    """Return the text with a token in place of its mask, all else as it was written."""
    word = str(tokenizer.decode([token]))
    prefix = getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
    if prefix and word.startswith(prefix):
        return before.rstrip() + word.removeprefix(prefix) + after
    if before[-1:].isspace() or not before:
        word = word.lstrip()
    return before + word + after

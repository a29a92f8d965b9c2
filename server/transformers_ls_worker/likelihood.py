"""Labels for a text by a model that generates text: which label would it write next?

The text is continued by a sentence that the label completes: "This text is about sports."
Labels are compared by how much likelier the text makes them, the logarithm of P(label | text) /
P(label | no text). The likelihood alone prefers frequent and short labels, whatever the text says:
their forms compete for it (Holtzman et al. 2021, https://arxiv.org/abs/2104.08315); what takes the
place of the text is "N/A" (Zhao et al. 2021, https://arxiv.org/abs/2102.09690). Dividing by the
label's length instead (Brown et al. 2020, https://arxiv.org/abs/2005.14165) leaves the first bias.

It is a sentence below the text, and no chat: a small chat model that is asked to choose from a list
tends to one place of the list. SmolLM2 135M on the texts of tests/data/labels.json: 26 of 30
sentiments, 20 of 20 topics and 11 of 12 intents are right; by the likelihood alone 16, 18 and 9; by
the best of six ways to ask in a chat at most 20 sentiments and 14 topics. The sentences were chosen
among nine on the same texts, so other texts will do less well.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError, is_out_of_memory
from transformers_ls_worker.labels import average, ranked
from transformers_ls_worker.memory import give_back
from transformers_ls_worker.windows import Tokens, Window

if TYPE_CHECKING:
    from transformers_ls_worker.onnx_session import Session

__all__ = ["choose"]

_HYPOTHESIS = "This text is about {}."
_NOTHING = "N/A"

_WINDOW = 2048
"""Tokens that are read at once; small models lose the thread of longer texts."""

_CACHED = 8192
"""Tokens whose keys and values are held at once, while labels are computed beside each other."""


def choose(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Score any labels by how much likelier a text makes them.

    The scores are a softmax over the labels. If several may be true, each is scored by itself:
    P(label | text) / (P(label | text) + P(label | no text)).

    Raises:
        RunError: The model is an encoder-decoder, or the labels are too long.
    """
    if encoder.config.is_encoder_decoder:
        raise RunError(
            "model-unfit",
            "The model transforms texts and cannot choose from labels.",
            "Choose a chat model, or one trained for entailment, such as facebook/bart-large-mnli.",
        )
    before, _, after = (request.hypothesis or _HYPOTHESIS).partition("{}")
    # White space belongs to the word behind it, as tokenizers see it.
    stem = f"\n\n{before.rstrip()}"
    gap = before[len(before.rstrip()) :]
    endings = [f"{gap}{label}{after}" for label in request.labels]
    without = _likelihoods(encoder, f"{_NOTHING}{stem}", endings)
    frame = encoder.frame()
    longest = max(len(encoder.tokenize(stem + ending).ids) for ending in endings)
    values = []
    for text in request.texts:
        tokens = encoder.tokenize(text)
        # Beside its neighbours, the text's end may be cut into one or two more tokens.
        windows = encoder.windows(tokens, frame, most=_WINDOW, less=longest + 4)
        scores = []
        for number, window in enumerate(windows):
            if len(windows) > 1:
                encoder.tell(100 * number // len(windows))
            part = _part(encoder, text, tokens, window)
            ratio = _likelihoods(encoder, f"{part}{stem}", endings) - without
            single = request.multi_label or len(endings) == 1
            scores.append(ratio.sigmoid() if single else ratio.softmax(0))
        values.append(ranked(request.labels, average(windows, scores), request.top_k))
    return values


def _part(encoder: Encoder, text: str, tokens: Tokens, window: Window) -> str:
    if window.end - window.start == len(tokens.ids):
        return text
    if tokens.offsets is None:
        return str(encoder.tokenizer.decode(tokens.ids[window.start : window.end]))
    return text[tokens.offsets[window.start][0] : tokens.offsets[window.end - 1][1]]


def _likelihoods(encoder: Encoder, prompt: str, endings: Sequence[str]) -> torch.Tensor:
    """Return the logarithms of the likelihoods of endings of a prompt, which is read only once."""
    begin = encoder.frame().before["input_ids"]
    plain = [*begin, *encoder.tokenize(prompt).ids]
    rows = [[*begin, *encoder.tokenize(prompt + ending).ids] for ending in endings]
    # The last token of the prompt may be another one when an ending follows.
    shared = min(len(plain), min(map(len, rows)) - 1)
    while any(row[:shared] != plain[:shared] for row in rows):
        shared -= 1
    tails = [row[shared:] for row in rows]
    with encoder.computing():
        # A model that ONNX Runtime computes has no cache in Python.
        in_sessions = "past_key_values" not in encoder.takes
        begun = (_BegunSession if in_sessions else _Begun)(encoder, plain[:shared])
        scores = torch.stack([begun.first[tail[0]] for tail in tails])
        left = [number for number, tail in enumerate(tails) if len(tail) > 1]
        together = max(1, _CACHED // shared) if begun.repeats else 1
        while left:
            batch = left[:together]
            found = _go_on(begun, [tails[number] for number in batch])
            if found is None:
                give_back(encoder.device)
                together = len(batch) // 2
                continue
            scores[batch] += found
            del left[: len(batch)]
    encoder.computed += shared + sum(len(tail) - 1 for tail in tails)
    return scores


def _go_on(begun: _Begun | _BegunSession, tails: Sequence[list[int]]) -> torch.Tensor | None:
    """Return the likelihoods of tails but for their first tokens; None for a lack of memory."""
    longest = max(map(len, tails)) - 1
    # What fills up the shorter rows comes after all that counts, and nothing there sees it.
    rows = [tail[:-1] + [0] * (longest - len(tail) + 1) for tail in tails]
    try:
        found = begun.go_on(torch.tensor(rows))
    except Exception as error:
        if len(tails) == 1 or not is_out_of_memory(error):
            raise
    else:
        sums = [found[row, range(len(tail) - 1), tail[1:]].sum() for row, tail in enumerate(tails)]
        return torch.stack(sums).cpu()
    # Out of the handler: the exception would hold the tensors that filled the memory.
    return None


class _Begun:
    """A prompt that was read, and from which several rows can go on.

    Args:
        encoder: The model.
        ids: The prompt's tokens.
    """

    def __init__(self, encoder: Encoder, ids: list[int]) -> None:
        self._encoder = encoder
        self._count = len(ids)
        last: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in encoder.takes else {}
        output = encoder.model(
            input_ids=torch.tensor([ids], device=encoder.device), use_cache=True, **last
        )
        self.first = output.logits[0, -1].float().log_softmax(-1).cpu()
        """The logarithms of what may follow."""
        self._cache = output.past_key_values

    @property
    def repeats(self) -> bool:
        """Whether several rows can go on at once; those of a recurrent model cannot."""
        return all(hasattr(layer, "batch_repeat_interleave") for layer in self._cache.layers)

    def go_on(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of what may follow each token of some rows."""
        device = self._encoder.device
        cache = copy.deepcopy(self._cache)
        if len(rows) > 1:
            cache.batch_repeat_interleave(len(rows))
        places = torch.arange(self._count, self._count + rows.shape[1], device=device)
        output = self._encoder.model(
            input_ids=rows.to(device),
            position_ids=places.expand(len(rows), -1),
            past_key_values=cache,
            use_cache=True,
        )
        found: torch.Tensor = output.logits.float().log_softmax(-1)
        return found


class _BegunSession:
    """The same with a model that ONNX Runtime computes, whose sessions go on once."""

    repeats = True

    def __init__(self, encoder: Encoder, ids: list[int]) -> None:
        self._model = encoder.model
        self._ids = torch.tensor([ids])
        self._session: Session | None
        self._session, self.first = self._begin()

    def _begin(self) -> tuple[Session, torch.Tensor]:
        session = self._model.begin(torch.ones_like(self._ids))
        return session, session.step(self._ids)[0].log_softmax(-1)

    def go_on(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the logarithms of what may follow each token of some rows."""
        session, self._session = self._session or self._begin()[0], None
        session.spread(len(rows))
        steps = [session.step(column[:, None]) for column in rows.T]
        return torch.stack(steps, 1).log_softmax(-1)

"""Answers that stand in a text: the spans that a model finds likeliest.

transformers 5 has no question-answering pipeline any more. This is the method of SQuAD's baseline
(Devlin et al. 2019, https://arxiv.org/abs/1810.04805, section 4.2 and `run_squad.py`): the score of
a span is the sum of the logits of its first and its last token. The softmax goes over all spans of
all windows at once, since windows are told apart by the same logits (Clark and Gardner 2018,
https://arxiv.org/abs/1710.10723), and over "the text does not say", which such models point to with
the first token (section 4.3): where the answer is missing, no span gets a high score.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.places import whole_characters
from transformers_ls_worker.windows import Frame, Tokens, Window

__all__ = ["find_answers"]

_LONGEST = 30
"""Tokens of an answer at most; `--max_answer_length` of `run_squad.py`."""

_WINDOW = 384
"""Tokens of question and window; `--max_seq_length`, which the models were trained with."""


class _Span(NamedTuple):
    logit: float
    first: int
    """Its first and its last token in the text."""
    last: int


def find_answers(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Find the answers to a question in texts; of spans that overlap only the likeliest."""
    # Models that pad on the left read the text first.
    question_first = encoder.tokenizer.padding_side == "right"
    frame = encoder.frame(request.question, other_first=question_first)
    most = request.top_k or 1
    return [_answers(text, frame, encoder, most) for text in request.texts]


def _answers(text: str, frame: Frame, encoder: Encoder, most: int) -> list[dict[str, Any]]:
    tokens = encoder.tokenize(text)
    if tokens.offsets is None:
        raise RunError(
            "model-unfit",
            "The model's tokenizer does not say where its tokens stand in the text.",
            "Choose a model with a tokenizer.json, such as deepset/roberta-base-squad2.",
        )
    windows = encoder.windows(tokens, frame, most=_WINDOW)
    rows = [frame.around(tokens.ids[w.start : w.end]) for w in windows]
    classifier = encoder.tokenizer.cls_token_id
    nowhere = torch.tensor(torch.inf)
    masses, spans = [], []
    for window, row, logits in zip(windows, rows, encoder.run(rows, _both), strict=True):
        ids = row["input_ids"]
        nowhere = min(nowhere, logits[ids.index(classifier) if classifier in ids else 0].sum())
        table = _table(logits[frame.start : frame.start + window.end - window.start], window)
        masses.append(table.flatten().logsumexp(0))
        spans += list(_best(table, window, most))
    whole = torch.stack([*masses, nowhere]).logsumexp(0)
    found: list[dict[str, Any]] = []
    for span in sorted(spans, reverse=True):
        start, end = _place(text, tokens, span)
        if start == end or any(start < o["end"] and o["start"] < end for o in found):
            continue
        score = float((torch.tensor(span.logit) - whole).exp())
        found.append({"answer": text[start:end], "score": score, "start": start, "end": end})
    return found[:most]


def _both(output: Any, mask: torch.Tensor) -> list[torch.Tensor]:
    both = torch.stack([output.start_logits, output.end_logits], -1)
    return [row[seen] for row, seen in zip(both, mask, strict=True)]


def _table(logits: torch.Tensor, window: Window) -> torch.Tensor:
    """Return the scores of the spans that begin in a window's own tokens: [first, length - 1]."""
    starts, ends = logits.unbind(-1)
    beyond = torch.full((_LONGEST - 1,), -torch.inf)
    ends = torch.cat([ends, beyond]).unfold(0, _LONGEST, 1)
    own = slice(window.own_start - window.start, window.own_end - window.start)
    return starts[own, None] + ends[own]


def _best(table: torch.Tensor, window: Window, most: int) -> Iterator[_Span]:
    """Yield the best spans of a window that do not overlap each other."""
    table = table.clone()
    first = torch.arange(table.shape[0])[:, None]
    last = first + torch.arange(_LONGEST)
    for _ in range(most):
        if not table.numel() or (best := table.max()) == -torch.inf:
            return
        place, more = divmod(int(table.argmax()), _LONGEST)
        start = window.own_start + place
        yield _Span(float(best), start, start + more)
        table[(first <= place + more) & (last >= place)] = -torch.inf


def _place(text: str, tokens: Tokens, span: _Span) -> tuple[int, int]:
    assert tokens.offsets is not None
    return whole_characters(text, tokens.offsets[span.first][0], tokens.offsets[span.last][1])

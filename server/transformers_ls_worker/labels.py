"""Labels for a text, by a classifier or by a model that judges what follows from a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.heads import HEADS
from transformers_ls_worker.windows import Window

__all__ = ["average", "classify", "judge", "ranked"]

_HYPOTHESIS = "This example is {}."
"""The default of transformers' zero-shot pipeline."""


def classify(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Score the labels that a classifier was trained on.

    Of a text that does not fit the window, the windows' probabilities are averaged, each by the
    number of tokens that it answers for.
    """
    config = encoder.config
    labels = [str(config.id2label[number]) for number in range(config.num_labels)]
    frame = encoder.frame()
    windows, rows = [], []
    for text in request.texts:
        tokens = encoder.tokenize(text)
        windows.append(encoder.windows(tokens, frame))
        rows += [frame.around(tokens.ids[w.start : w.end]) for w in windows[-1]]
    scores = iter(_probabilities(config, row) for row in encoder.run(rows, _logits))
    return [
        ranked(labels, average(cut, [next(scores) for _ in cut]), request.top_k) for cut in windows
    ]


def judge(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Score any labels: does "This example is {label}." follow from the text?

    As transformers' zero-shot pipeline does it (Yin et al. 2019,
    https://arxiv.org/abs/1909.00161); the windows of a long text are averaged as above.

    Raises:
        RunError: The model does not judge what follows.
    """
    entails = _entailment(encoder)
    contradicts = -1 if entails == 0 else 0
    hypothesis = request.hypothesis or _HYPOTHESIS
    frames = [encoder.frame(hypothesis.replace("{}", label)) for label in request.labels]
    each = request.multi_label or len(request.labels) == 1
    values = []
    for text in request.texts:
        tokens = encoder.tokenize(text)
        windows = encoder.windows(tokens, *frames)
        rows = [f.around(tokens.ids[w.start : w.end]) for w in windows for f in frames]
        logits = torch.stack(encoder.run(rows, _logits)).view(len(windows), len(frames), -1)
        if each:
            scores = logits[..., [contradicts, entails]].softmax(-1)[..., 1]
        else:
            scores = logits[..., entails].softmax(-1)
        values.append(ranked(request.labels, average(windows, list(scores)), request.top_k))
    return values


def average(windows: Sequence[Window], scores: Sequence[torch.Tensor]) -> torch.Tensor:
    """Average what was found in windows, each by the number of tokens that it answers for."""
    if len(windows) == 1:
        return scores[0]
    weights = torch.tensor([float(window.own) for window in windows])
    return (torch.stack(list(scores)) * (weights / weights.sum())[:, None]).sum(0)


def ranked(labels: Sequence[str], scores: torch.Tensor, top_k: int | None) -> list[dict[str, Any]]:
    """Return labels with their scores, the likeliest first."""
    order = scores.argsort(descending=True, stable=True).tolist()[:top_k]
    return [{"label": labels[number], "score": float(scores[number])} for number in order]


def _logits(output: Any, _mask: torch.Tensor) -> list[torch.Tensor]:
    return list(output.logits)


def _probabilities(config: Any, logits: torch.Tensor) -> torch.Tensor:
    """Return scores as transformers' text-classification pipeline has them."""
    if config.problem_type == "regression":
        return logits
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return logits.sigmoid()
    return logits.softmax(-1)


def _entailment(encoder: Encoder) -> int:
    for label, number in encoder.config.label2id.items():
        if str(label).lower().startswith("entail"):
            return int(number)
    head = HEADS["zero-shot-classification"]
    raise RunError(
        "model-unfit",
        f"This classifier cannot {head.does}: it has no label `entailment`.",
        f"Choose {head.example}.",
    )

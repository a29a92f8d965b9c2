"""Named entities, grouped over the whole text, however many windows it takes."""

from __future__ import annotations

from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.encoder import Encoder
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.places import whole_characters
from transformers_ls_worker.windows import Tokens

__all__ = ["find_entities"]


def find_entities(request: wire.Infer, encoder: Encoder) -> list[Any]:
    """Find the spans that a token classifier labels.

    Each token is labelled in the window that shows most of its surroundings, and only then are the
    labels of the whole text grouped: no entity is cut or found twice at a window's edge. Grouping
    is transformers' own strategy `first` for a tokenizer that marks the pieces of words, since its
    models are trained on the first piece of each word, else `simple`.

    Raises:
        RunError: The tokenizer does not know where tokens stand.
    """
    frame = encoder.frame()
    windows, rows, texts = [], [], []
    for text in request.texts:
        tokens = encoder.tokenize(text)
        texts.append(tokens)
        windows.append(encoder.windows(tokens, frame))
        rows += [frame.around(tokens.ids[w.start : w.end]) for w in windows[-1]]
    found = iter(encoder.run(rows, _scores))
    values = []
    for text, tokens, cut in zip(request.texts, texts, windows, strict=True):
        own = []
        for window in cut:
            first = frame.start + window.own_start - window.start
            own.append(next(found)[first : first + window.own])
        values.append(_group(text, tokens, torch.cat(own), encoder))
    return values


def _scores(output: Any, mask: torch.Tensor) -> list[torch.Tensor]:
    """Return each token's label and its probability."""
    score, label = output.logits.float().softmax(-1).max(-1)
    both = torch.stack([score, label.float()], -1)
    return [row[seen] for row, seen in zip(both, mask, strict=True)]


def _group(
    text: str, tokens: Tokens, scores: torch.Tensor, encoder: Encoder
) -> list[dict[str, Any]]:
    if tokens.offsets is None:
        raise RunError(
            "model-unfit",
            "The model's tokenizer does not say where its tokens stand in the text.",
            "Choose a model with a tokenizer.json, such as dslim/bert-base-NER.",
        )
    prefix = getattr(encoder.tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None)
    pieces = encoder.tokenizer.convert_ids_to_tokens(tokens.ids) if prefix else []
    names = [str(encoder.config.id2label[n]) for n in range(encoder.config.num_labels)]
    groups: list[_Group] = []
    word: tuple[str, float] = ("", 0.0)
    for number, (score, label) in enumerate(scores.tolist()):
        start, end = tokens.offsets[number]
        if not prefix or not number or not pieces[number].startswith(prefix):
            word = names[int(label)], score
        elif groups:
            groups[-1].end = end
            continue
        begins, tag = _tag(word[0])
        if groups and groups[-1].tag == tag and not begins:
            groups[-1].scores.append(word[1])
            groups[-1].end = end
        elif groups and groups[-1].tag != "O" and start < groups[-1].end:
            # One more byte of a character that is an entity's already.
            groups[-1].end = max(end, groups[-1].end)
        else:
            groups.append(_Group(tag, start, end, [word[1]]))
    found = [group.as_json(text) for group in groups if group.tag != "O"]
    return [entity for entity in found if entity["word"]]


class _Group:
    """Neighbouring words with the same label."""

    def __init__(self, tag: str, start: int, end: int, scores: list[float]) -> None:
        self.tag = tag
        self.start = start
        self.end = end
        self.scores = scores

    def as_json(self, text: str) -> dict[str, Any]:
        start, end = whole_characters(text, self.start, self.end)
        return {
            "entity_group": self.tag,
            "score": sum(self.scores) / len(self.scores),
            "word": text[start:end],
            "start": start,
            "end": end,
        }


def _tag(label: str) -> tuple[bool, str]:
    """Return whether a label begins an entity, and its kind; labels without a prefix go on.

    B and I of the usual scheme; S and U are entities of one word, E, L and M further words (Ratinov
    and Roth 2009, https://aclanthology.org/W09-1119).
    """
    if label[1:2] == "-" and label[0] in "BIESULM":
        return label[0] in "BSU", label[2:]
    return False, label

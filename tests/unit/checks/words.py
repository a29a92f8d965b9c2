"""A tokenizer whose tokens can be counted by eye: words, and two control tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transformers_ls.chat.problems import Problem
from transformers_ls.checks.texts import Budget, Tokenizer, check_texts, scan
from transformers_ls.text.regions import Regions, find_regions
from transformers_ls.text.snapshot import Slice, Snapshot
from transformers_ls.tokens.counter import Encoding

_TOKEN = re.compile(r"<\|\w+\|>|[^\s<]+|<")
NONE = Budget()


class Words:
    """Counts words."""

    name = "words"
    exact = True
    reason = ""
    added_tokens = 0
    special_tokens = frozenset({"<|im_start|>", "<|im_end|>"})

    def count(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [self.count(text) for text in texts]

    def encode(self, text: str) -> Encoding:
        spans = [match.span() for match in _TOKEN.finditer(text)]
        return Encoding([len(text[start:end]) for start, end in spans], spans)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return [str(token) for token in ids]

    def special_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"<\|im_(?:start|end)\|>", text)]


def problems(
    language: str,
    text: str,
    budget: Budget = NONE,
    *,
    chats: Sequence[tuple[int, int]] = (),
    disabled: Sequence[str] = (),
) -> list[Problem]:
    """Return the problems of a document."""
    tokenizers = [Tokenizer("words", Words())]
    snapshot = Snapshot.of(text)

    def count(texts: Sequence[str | Slice | Snapshot]) -> list[int]:
        return [Words().count(text if isinstance(text, str) else text.text) for text in texts]

    return check_texts(
        snapshot,
        language,
        Regions(find_regions(language, snapshot)),
        scan(snapshot, tokenizers, disabled),
        tokenizers=tokenizers,
        count=count,
        budget=budget,
        chats=chats,
        disabled=disabled,
    )


def repaired(text: str, problem: Problem, fix: int = 0) -> str:
    """Return a text after one of a problem's repairs."""
    for edit in sorted(problem.fixes[fix].edits, key=lambda edit: -edit.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text

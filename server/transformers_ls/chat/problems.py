"""What can be wrong with a chat, as plain values: codes, places, repairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Edit", "Fix", "Problem", "Severity"]

Severity = Literal["error", "warning", "information", "hint"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace a part of the document, in code points."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that the user may ask for; its edits belong together and do not overlap."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem at its place, in code points.

    | code | what |
    |---|---|
    | template-refuses | the template raises on these messages |
    | template-limit | the template broke a limit |
    | content-dropped | a text of the chat is not in the prompt |
    | name-dropped | the name of a message's author is not in the prompt |
    | reasoning-dropped | a message's reasoning is not in the prompt |
    | tool-calls-dropped | the tools that a message calls are not in the prompt |
    | tools-dropped | the tools are not in the prompt |
    | over-window | the prompt is longer than the model's context window |
    | too-long | the prompt is longer than the user allows |
    | no-generation-tags | the template marks no answers: an assistant mask would be all zero |
    | template-differs | a fine-tuned model's template is not that of its base |
    | double-bos | the prompt begins with two BOS tokens |
    | prefix-changes | what was the prompt of a turn is not the beginning of the next turn's |
    | special-token-in-content | a text holds what the tokenizer reads as a special token |
    | unknown-role | a role that the template does not know |
    | empty-assistant | an assistant's turn says nothing and calls nothing |
    | tool-not-offered | a call of a tool that is not among the tools |
    | tool-result-unmatched | a result for a call that nobody made |
    | tool-schema | a tool is not described as templates expect |
    """

    code: str
    severity: Severity
    message: str
    start: int
    end: int
    fixes: tuple[Fix, ...] = ()

    def shifted(self, by: int) -> Problem:
        """Return the same problem at another place."""
        if not by:
            return self
        fixes = tuple(
            replace(
                fix,
                edits=tuple(Edit(e.start + by, e.end + by, e.text) for e in fix.edits),
            )
            for fix in self.fixes
        )
        return replace(self, start=self.start + by, end=self.end + by, fixes=fixes)

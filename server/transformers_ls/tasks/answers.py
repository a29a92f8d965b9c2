"""An answer as it comes in: reasoning and white space dropped, and what must stay looked after."""

from __future__ import annotations

import re

__all__ = ["Answer", "Reasoning", "protected"]

# Code spans, addresses, and the placeholders of Jinja, printf, format strings, shells and HTML.
_PROTECTED = re.compile(
    r"`[^`\n]+`|https?://[^\s<>)\]]+|[\w.+-]+@[\w-]+\.\w+|\{\{.*?\}\}|\{%.*?%\}|\$?\{[\w.:!-]*\}"
    r"|%\(\w+\)[sdif]|%[sdif]\b|</?[A-Za-z][^>\n]*>"
)


def protected(text: str) -> list[str]:
    """Return the parts of a text that a translation must hold unchanged."""
    return [match.rstrip(".,;:!?") for match in _PROTECTED.findall(text)]


class Reasoning:
    """Keeps the reasoning of a model, which comes before its answer, out of the answer.

    It stands between `<think>` and `</think>` in the families that mark it in their text (DeepSeek
    R1, Qwen3, QwQ, SmolLM3 …). Where the chat template writes the opening mark, the engine gives it
    as the beginning of the answer.
    """

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self.inside = False
        self._held = ""
        self._decided = False

    def push(self, text: str) -> str:
        """Take the next part of what the model writes; return what of it belongs to the answer."""
        if self._decided:
            return text
        self._held += text
        begin = self._held.lstrip()
        if not self.inside:
            if self._OPEN.startswith(begin[: len(self._OPEN)]) and len(begin) < len(self._OPEN):
                return ""
            self.inside = begin.startswith(self._OPEN)
        if self.inside:
            _, mark, answer = self._held.partition(self._CLOSE)
            if not mark:
                return ""
            self.inside, self._held = False, answer
        self._decided = True
        return self.end()

    def end(self) -> str:
        """Return what was held back for nothing; reasoning that never ended stays out."""
        held, self._held = self._held, ""
        return "" if self.inside else held


class Answer:
    """The answer to one piece of a text.

    Args:
        source: The piece.
        careful: Whether what is `protected` in the source must be in the answer. Such an answer is
            shown when it is whole; where it lost something the source stays in its place.
    """

    def __init__(self, source: str, *, careful: bool) -> None:
        self.source = source
        self.over = False
        self.text = ""
        """What was shown so far."""
        self.lost = False
        """Whether the source stays, since the answer lacks something of it."""
        self._musts = protected(source) if careful else []
        self._pending = ""
        self._reasoning = Reasoning()

    @property
    def empty(self) -> bool:
        """Whether the model had nothing to say."""
        return not self.text

    @property
    def changes_nothing(self) -> bool:
        """Whether the text is as it was before, for whatever reason."""
        return self.empty or self.text == self.source.strip()

    def push(self, text: str) -> None:
        """Take the next part of the answer."""
        self._pending += self._reasoning.push(text)

    @property
    def thinks(self) -> bool:
        """Whether the model reasons now, or ended while it did."""
        return self._reasoning.inside

    def end(self) -> None:
        """Say that nothing more comes."""
        self.over = True
        self._pending += self._reasoning.end()
        self.lost = any(must not in self._pending for must in self._musts)

    def shown(self) -> str:
        """Return what may be shown now and was not yet."""
        if self._musts and not self.over:
            return ""
        if self.lost:
            self._pending, shown = "", self.source if not self.text else ""
        else:
            if not self.text:
                self._pending = self._pending.lstrip()
            # White space is held back: it may turn out to be the end.
            shown = self._pending.rstrip()
            self._pending = self._pending[len(shown) :]
        self.text += shown
        return shown

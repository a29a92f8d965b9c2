"""An answer as it comes in: white space around it dropped, and what must not be lost looked after."""

from __future__ import annotations

import re

__all__ = ["Answer", "protected"]

# Code spans, addresses, and the placeholders of Jinja, printf, format strings, shells and HTML.
_PROTECTED = re.compile(
    r"`[^`\n]+`|https?://[^\s<>)\]]+|[\w.+-]+@[\w-]+\.\w+|\{\{.*?\}\}|\{%.*?%\}|\$?\{[\w.:!-]*\}"
    r"|%\(\w+\)[sdif]|%[sdif]\b|</?[A-Za-z][^>\n]*>"
)


def protected(text: str) -> list[str]:
    """Return the parts of a text that a translation must hold unchanged."""
    return [match.rstrip(".,;:!?") for match in _PROTECTED.findall(text)]


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
        self._pending += text

    def end(self) -> None:
        """Say that nothing more comes."""
        self.over = True
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

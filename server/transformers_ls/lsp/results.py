"""The results of tasks that a client reads as virtual documents."""

from __future__ import annotations

from itertools import count
from urllib.parse import quote

from transformers_ls.errors import UsageError
from transformers_ls.lsp.run_messages import RESULT_SCHEME, ResultDocument

__all__ = ["Results"]

# The protocol does not say when the client closes such a document, so the oldest are forgotten.
_KEPT = 16


class Results:
    """Keeps the last results, for clients that are told an address instead of the text."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._numbers = count(1)

    def add(self, document: ResultDocument) -> str:
        """Keep a result; return its address."""
        uri = f"{RESULT_SCHEME}:/{quote(document.title)}.md?{next(self._numbers)}"
        self._texts[uri] = document.markdown
        while len(self._texts) > _KEPT:
            del self._texts[next(iter(self._texts))]
        return uri

    def text(self, uri: str) -> str:
        """Return the text at an address.

        Raises:
            UsageError: There is none, or not any more.
        """
        try:
            return self._texts[uri]
        except KeyError:
            raise UsageError("This result is not kept any more.", "Run the task again.") from None

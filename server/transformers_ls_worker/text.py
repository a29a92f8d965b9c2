"""From token ids to text that may be shown: whole characters only, and nothing past a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["Detokenizer", "StopStrings"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Detokenizer:
    """Turns ids into text as they come, as vLLM and TGI do.

    A tokenizer's text for one id depends on its neighbours (the space that SentencePiece puts
    between words, characters spread over several byte tokens). So a short window before the new ids
    is decoded twice, with and without them, and the difference is the new text. While it ends in an
    incomplete character it is held back. All pieces together are what decoding at once would give.

    Args:
        decode: The tokenizer's decoding of a list of ids.
        context: The last few ids before the first new one, which the text does not repeat.
    """

    def __init__(self, decode: Callable[[list[int]], str], context: Sequence[int]) -> None:
        self._decode = decode
        self._window = list(context)  # Ids whose text was given out already.
        self._pending: list[int] = []  # Ids whose text was not.

    def push(self, token: int) -> str:
        """Take one id; return the text that is certain now, often "" inside a character."""
        self._pending.append(token)
        text = self._new_text()
        if not text or text.endswith(_REPLACEMENT):
            return ""
        # The last given-out ids are all the context that the next ones need.
        self._window, self._pending = self._pending, []
        return text

    def finish(self) -> str:
        """Return what is still held back: an incomplete character as replacement characters."""
        text = self._new_text()
        self._pending = []
        return text

    def _new_text(self) -> str:
        if not self._pending:
            return ""
        before = self._decode(self._window)
        return self._decode(self._window + self._pending)[len(before) :]


class StopStrings:
    """Cuts a text before the first stop string that completes in it, however it is chunked.

    Text that could be the beginning of a stop string is held back until it is known not to be.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.hit = False
        """True once a stop string was met; nothing comes out afterwards."""

    def push(self, text: str) -> str:
        """Take the next piece of text; return what may be shown."""
        if self.hit:
            return ""
        if not self._stops:
            return text
        self._held += text
        found = [(i + len(stop), i) for stop in self._stops if (i := self._held.find(stop)) >= 0]
        if found:
            _, start = min(found)  # The first to complete; of two at once, the longer.
            self.hit = True
            shown, self._held = self._held[:start], ""
            return shown
        keep = max(self._beginning_at_end(stop) for stop in self._stops)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """Return what was held back for nothing."""
        shown, self._held = self._held, ""
        return shown

    def _beginning_at_end(self, stop: str) -> int:
        for length in range(min(len(stop) - 1, len(self._held)), 0, -1):
            if self._held.endswith(stop[:length]):
                return length
        return 0

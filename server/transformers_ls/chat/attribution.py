"""Which part of a rendered prompt each message contributed. Stdlib only: the child imports it.

The part of a message ends where the render of the messages up to it ends, when that render is a
prefix of the whole one (almost all templates, almost all messages). Templates that treat the last
turn differently (reasoning that earlier turns lose, say) break this; there the end is where the
message's own content stands in the prompt, followed by exactly what follows it in the shorter
render. Where neither holds, the place is not known, and is not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["message_cuts", "spans_between", "special_spans"]

_REASONING_END: Final = "</think>"
_NOT_SHOWN: Final = frozenset({"id", "type", "image", "url"})


def message_cuts(
    messages: Sequence[Mapping[str, Any]],
    whole: str,
    render: Callable[[list[Any]], str],
    specials: Collection[str] = (),
) -> list[int | None]:
    """Return where each message's part ends in `whole`.

    Args:
        messages: The chat.
        whole: The render of the chat.
        render: Renders the beginning of a chat without a generation prompt; it may raise where the
            template refuses.
        specials: Special tokens; some templates write one after the last message only.
    """
    cuts: list[int | None] = []
    after = 0
    for count in range(1, len(messages) + 1):
        try:
            part = render(list(messages[:count]))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - refused half a chat: that says nothing about the whole.
            cuts.append(None)
            continue
        cut = _cut(whole, part, _last_text(messages[count - 1]), after, specials)
        cuts.append(cut)
        after = after if cut is None else cut
    return cuts


def _cut(whole: str, part: str, text: str, after: int, specials: Collection[str]) -> int | None:
    place = part.rfind(text)
    if place < 0 and text in whole:
        return None  # The template moves this message to where only a longer chat shows it.
    for end in ("", *filter(part.endswith, specials)):
        beginning = part.removesuffix(end)
        if whole.startswith(beginning) and len(beginning) >= after:
            return len(beginning)
    if not text or place < 0:
        return None
    found = whole.find(part[place:], after)
    if found < 0 or whole.count(text, 0, found) != part.count(text, 0, place):
        return None  # The same words stand elsewhere too, so this may be another message.
    return found + len(part) - place


def _last_text(message: Mapping[str, Any]) -> str:
    """Return the text that stands last in a message's part, as far as templates leave it alone."""
    value: Any = message.get("content") or message.get("tool_calls")
    while not isinstance(value, str):
        if isinstance(value, dict):
            value = [inner for key, inner in value.items() if key not in _NOT_SHOWN]
        if not isinstance(value, list):
            return ""
        value = next((item for item in reversed(value) if isinstance(item, str | dict | list)), "")
    return value.rpartition(_REASONING_END)[2].strip()


def spans_between(cuts: Sequence[int | None]) -> list[tuple[int, int] | None]:
    """Turn ends into spans; a span is known when both of its ends are."""
    starts = [0, *cuts]
    return [
        (start, end) if start is not None and end is not None and start <= end else None
        for start, end in zip(starts, cuts, strict=False)
    ]


def special_spans(text: str, specials: Iterable[str]) -> list[tuple[int, int]]:
    """Return where special tokens stand in a text, as a tokenizer finds them: leftmost, longest."""
    longest_first = sorted({token for token in specials if token}, key=len, reverse=True)
    if not longest_first:
        return []
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return [match.span() for match in pattern.finditer(text)]

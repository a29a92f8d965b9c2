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
from functools import lru_cache
from typing import Any, Final

__all__ = [
    "answer_spans",
    "message_cuts",
    "shared_beginning",
    "spans_between",
    "special_pattern",
    "special_spans",
]

_REASONING_END: Final = "</think>"
_NOT_SHOWN: Final = frozenset({"id", "type", "image", "url"})


def message_cuts(
    messages: Sequence[Mapping[str, Any]],
    whole: str,
    render: Callable[[list[Any]], str],
    specials: Collection[str] = (),
    known: Mapping[int, int] | None = None,
) -> list[int | None]:
    """Return where each message's part ends in `whole`.

    Args:
        messages: The chat.
        whole: The render of the chat.
        render: Renders the beginning of a chat without a generation prompt; it may raise where the
            template refuses.
        specials: Special tokens; some templates write one after the last message only.
        known: Ends that are known already, by the message's index, -1 for one that is not to be
            looked for; nothing is rendered for these.
    """
    cuts: list[int | None] = []
    after = 0
    for count in range(1, len(messages) + 1):
        if known and (end := known.get(count - 1)) is not None:
            cuts.append(end if end >= 0 else None)
            after = max(after, end)
            continue
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


def answer_spans(
    whole: str,
    roles: Sequence[str],
    spans: Sequence[tuple[int, int] | None],
    opening: str,
) -> list[tuple[int, int]]:
    """Return what the model itself says of a prompt: its turns without what opens them.

    Args:
        whole: The prompt.
        roles: The role of each message.
        spans: The part of each message, as far as known; others are left out of the answer.
        opening: The generation prompt: what the template writes before a turn of the model.
    """
    found = []
    for role, span in zip(roles, spans, strict=True):
        if role != "assistant" or span is None:
            continue
        start, end = span
        # Some generation prompts go further than the turn as it is kept (an empty block of
        # reasoning); the common beginning is what the model did not say.
        shared = shared_beginning(whole[start:end], opening)
        if (shared or not opening) and start + shared < end:
            found.append((start + shared, end))
    return found


def shared_beginning(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginnings.

    By halves: comparing slices is a hundred times faster than comparing characters.
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def special_spans(text: str, specials: Iterable[str]) -> list[tuple[int, int]]:
    """Return where special tokens stand in a text, as a tokenizer finds them: leftmost, longest."""
    pattern = special_pattern(frozenset(specials))
    return [match.span() for match in pattern.finditer(text)] if pattern else []


@lru_cache(maxsize=8)
def special_pattern(specials: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds special tokens, longest first; None when there are none."""
    longest_first = sorted(filter(None, specials), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

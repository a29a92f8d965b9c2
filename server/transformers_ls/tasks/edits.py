"""Where a result goes in the document: one replacement of one span."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.tasks.comments import line_comment
from transformers_ls.tasks.work import Placement
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Replacement", "newline_of", "place", "relocate"]


@dataclass(frozen=True, slots=True)
class Replacement:
    """Put `text` in place of the code points from `start` to `end` (exclusive)."""

    start: int
    end: int
    text: str


def place(
    snapshot: Snapshot,
    start: int,
    end: int,
    result: str,
    placement: Placement,
    *,
    language_id: str = "",
    as_comment: bool = False,
) -> Replacement:
    """Return the edit that puts a result where its task wants it.

    A translation keeps the white space around the selection. A result below starts after one blank
    line under the selection's last line, and a blank line separates it from what follows.

    Args:
        snapshot: The document.
        start: Where the selection starts, in code points.
        end: Where it ends (exclusive).
        result: The task's text.
        placement: "below", "replace" or "after".
        language_id: The document's LSP language id.
        as_comment: Write a result below as a line comment, where the language has one.
    """
    selection = snapshot.slice(start, end)
    newline = newline_of(snapshot)
    result = result.strip().replace("\r\n", "\n")
    if placement == "replace":
        head = selection[: len(selection) - len(selection.lstrip())]
        tail = selection[len(selection.rstrip()) :]
        return Replacement(start, end, head + result.replace("\n", newline) + tail)
    if placement == "after":
        at = end - (len(selection) - len(selection.rstrip()))
        before = snapshot.slice(max(0, at - 1), at)
        gap = " " if before.isalnum() and result[:1].isalnum() else ""
        return Replacement(at, at, gap + result.replace("\n", newline))
    # A result below a selection must not break the code it stands in.
    if as_comment and (mark := line_comment(language_id)):
        result = "\n".join((mark + line).rstrip() for line in result.splitlines())
    result = result.replace("\n", newline)
    at = _end_of_line(snapshot, end - (len(selection) - len(selection.rstrip())))
    following = snapshot.slice(at, min(len(snapshot), at + 2 * len(newline)))
    needs_gap = bool(following.strip(" \t\r\n"))
    return Replacement(at, at, newline * 2 + result + (newline if needs_gap else ""))


def newline_of(snapshot: Snapshot) -> str:
    """Return the line end that a document begins with."""
    return "\r\n" if "\r\n" in snapshot.slice(0, 4096) else "\n"


def relocate(before: Snapshot, now: Snapshot, start: int, selection: str) -> int | None:
    """Find where a selection stands now, in a document that was edited since.

    Args:
        before: The document when the run began.
        now: The document as it is now.
        start: Where the selection started then, in code points.
        selection: Its text then.

    Returns:
        The new start, or None when the selection was edited, or may stand in several places.
    """
    if now is before:
        return start
    old, new, end = before.text, now.text, start + len(selection)
    if new[:end] == old[:end]:
        return start
    behind = len(old) - start
    if behind <= len(new) and new[len(new) - behind :] == old[start:]:
        return len(new) - behind
    # Edited on both sides: only a text that was and is unique can be told from its copies.
    if _is_unique(old, selection) and _is_unique(new, selection):
        return new.find(selection)
    return None


def _is_unique(text: str, part: str) -> bool:
    first = text.find(part)
    return first >= 0 and text.find(part, first + 1) < 0


def _end_of_line(snapshot: Snapshot, offset: int) -> int:
    step = 512
    at = offset
    while at < len(snapshot):
        window = snapshot.slice(at, min(len(snapshot), at + step))
        ends = [i for i in (window.find("\n"), window.find("\r")) if i >= 0]
        if ends:
            return at + min(ends)
        at += len(window)
    return len(snapshot)

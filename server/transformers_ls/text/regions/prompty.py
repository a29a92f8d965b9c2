"""Regions of prompt files: the front matter, and the messages between role markers."""

from __future__ import annotations

from transformers_ls.text.regions.model import Region
from transformers_ls.text.transcript import front_matter, prompt_turns

__all__ = ["find"]


def find(text: str, *, default: str = "system") -> list[Region]:
    """Return the regions of a `.prompty` file; a Dotprompt's `default` role is the user's."""
    regions: list[Region] = []
    parts = front_matter(text)
    if parts:
        start, end, after = parts
        body = text[start:end].rstrip("\r\n")
        close = len(text[:after].rstrip())
        first = len(text[:start].rstrip())
        regions.append(Region("front-matter", 0, close, "front matter", body, anchor=first))
    for turn in prompt_turns(text, parts[2] if parts else 0, default=default):
        content = text[turn.content_start : turn.content_end]
        exact = "{{" not in content and "{%" not in content
        regions.append(
            Region(
                "message", turn.start, turn.end, turn.role, content, exact, anchor=turn.content_end
            )
        )
    return regions

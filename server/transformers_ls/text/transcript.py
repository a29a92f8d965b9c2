"""Chats written as text: role markers in prompt files, role headings in Markdown.

| where | marker | content |
|---|---|---|
| `.prompty` | a line `system:`, `user:`, `assistant:`, … | up to the next, blank lines around it left out |
| Dotprompt | `{{role "user"}}` | the same |
| Markdown | `## User`, `### System:`, `**Assistant:**` | up to the next, or to where its section ends |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Turn", "front_matter", "is_role", "markdown_turns", "prompt_turns"]

_ROLES: Final = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
_SPEAKERS: Final = {"user", "assistant"}
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(?P<body>(?s:.*?)\r?\n)??---[ \t]*(?:\r?\n|\Z)")
_MARKER = re.compile(
    r"""^[ \t]*(?:\#[ \t]*)?(?P<role>system|developer|user|assistant|tool|function)
    (?:\[[^\]\r\n]*\])?[ \t]*:[ \t]*\r?$
    |\{\{-?[ \t]*role[ \t]+["'](?P<dotrole>\w+)["'][ \t]*-?\}\}""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_HEADING_ROLE = "(system|developer|user|human|assistant|ai|tool)"
_LINE = re.compile(
    rf"""^(?:
    (?P<fence>[ ]{{0,3}}(?:`{{3,}}|~{{3,}}))
    |(?P<hashes>\#{{1,6}})[ \t]+(?P<title>[^\r\n]*)
    |(?P<bold>\*\*|__){_HEADING_ROLE}(?::(?P=bold)|(?P=bold):?)
    )""",
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_TITLE = re.compile(
    rf"[*_\W]*{_HEADING_ROLE}(?:\s+(?:message|prompt|turn))?[*_:\s#]*", re.IGNORECASE
)
_MENTIONED = re.compile(
    rf"^(?:#|\*\*|__)[^\r\n]{{0,12}}\b{_HEADING_ROLE}\b", re.IGNORECASE | re.MULTILINE
)
_PART: Final = 1 << 17
_HEADING: Final = 64
_BOLD_LEVEL: Final = 7


def is_role(title: str) -> bool:
    """Tell whether a heading names the role of a message."""
    return _TITLE.fullmatch(title) is not None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message, in code points: `start` is where its marker stands."""

    role: str
    start: int
    end: int
    content_start: int
    content_end: int


def front_matter(text: str) -> tuple[int, int, int] | None:
    """Return where the front matter's YAML starts and ends, and where the text after it starts."""
    match = _FRONT_MATTER.match(text)
    if match is None:
        return None
    start, end = match.span("body")
    return (start, end, match.end()) if start >= 0 else (match.end(), match.end(), match.end())


def prompt_turns(text: str, start: int, *, default: str) -> list[Turn]:
    """Return the messages of a prompt file.

    Args:
        text: The document.
        start: Where its front matter ends.
        default: Whose message a text before the first marker is: the system's in a `.prompty`, the
            user's in a Dotprompt, nobody's when it is empty.
    """
    markers = list(_MARKER.finditer(text, start))
    turns = []
    first = markers[0].start() if markers else len(text)
    if default and text[start:first].strip():
        begin, end = _trimmed(text, start, first)
        turns.append(Turn(default, begin, end, begin, end))
    for number, marker in enumerate(markers):
        following = markers[number + 1].start() if number + 1 < len(markers) else len(text)
        begin, end = _trimmed(text, marker.end(), following)
        given = (marker["role"] or marker["dotrole"]).lower()
        role = _ROLES.get(given, given)
        at = marker.end() - len(marker.group().lstrip())
        turns.append(Turn(role, at, max(end, marker.end()), begin, end))
    return _without_the_next(turns)


def _mentions_role(text: str) -> bool:
    """Tell whether any line looks like a heading with a role; most documents have none.

    By parts, since a search keeps other threads out; what is looked for is no longer than `_HEADING`.
    """
    return any(
        _MENTIONED.search(text, at, at + _PART + _HEADING)
        for at in range(0, max(1, len(text)), _PART)
    )


def markdown_turns(text: str) -> list[list[Turn]]:
    """Return the transcripts of a Markdown text.

    A heading named after a role is nothing special in a manual, so a transcript has at least two
    of one level, one after the other, and a user or an assistant among them.
    """
    if not _mentions_role(text):
        return []
    found: list[list[Turn]] = []
    run: list[tuple[str, int, int]] = []
    level, section = 0, 0
    fence = ""

    def close(end: int) -> None:
        if len(run) > 1 and _SPEAKERS & {role for role, _, _ in run}:
            found.append(_run_turns(text, run, end))
        run.clear()

    for match in _LINE.finditer(text):
        if match["fence"]:
            mark = match["fence"].strip()
            if not fence:
                fence = mark
            elif mark.startswith(fence) and not _rest_of_line(text, match.end()).strip():
                fence = ""
            continue
        if fence:
            continue
        role, depth = _role_of(match)
        if role and (not run or depth == level):
            run.append((role, match.start(), match.end()))
            level = depth
        elif role and depth < level:
            close(match.start())
            run.append((role, match.start(), match.end()))
            level = depth
        elif match["hashes"] and run and depth <= (section if level == _BOLD_LEVEL else level):
            close(match.start())
        if match["hashes"] and not run:
            section = depth
    close(len(text))
    return found


def _role_of(match: re.Match[str]) -> tuple[str, int]:
    if match["bold"]:
        return _ROLES[match[5].lower()], _BOLD_LEVEL
    title = _TITLE.fullmatch(match["title"])
    return _ROLES[title[1].lower()] if title else "", len(match["hashes"])


def _run_turns(text: str, run: list[tuple[str, int, int]], end: int) -> list[Turn]:
    turns = []
    for number, (role, start, marked) in enumerate(run):
        following = run[number + 1][1] if number + 1 < len(run) else end
        begin, stop = _trimmed(text, marked, following)
        turns.append(Turn(role, start, max(stop, marked), begin, stop))
    return _without_the_next(turns)


def _without_the_next(turns: list[Turn]) -> list[Turn]:
    """Leave out a last message that is about to be typed."""
    if turns and turns[-1].content_start == turns[-1].content_end:
        return turns[:-1]
    return turns


def _rest_of_line(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : len(text) if end < 0 else end]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out blank lines around a text, and space after it and beside its marker."""
    body = text[start:end]
    if not body.strip():
        return start, start
    first = start + len(body) - len(body.lstrip())
    line = text.rfind("\n", start, first) + 1
    return line or first, start + len(body.rstrip())

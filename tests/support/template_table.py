"""What each real template does with what it is given, as a Markdown table.

    python -m tests.support.template_table

writes docs/chat-templates.md; each chat is rendered in the sandbox, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.llama_cpp_sdist import REQUIREMENT
from tests.support.templates import CHATS, SPECIAL_TOKENS, real_templates
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateError

Outcomes = Mapping[tuple[str, str], tuple[str | None, str | None]]
"""By template and kind of chat: the prompt, or the words of the refusal."""

_MARKS = {
    "system": "terse harbour pilot",
    "system late": "terse harbour pilot",
    "tools": "The wind at a place",
    "tool call": "forecast",
    "reasoning": "too much for this boat",
    "reasoning last": "too much for this boat",
    "think tags": "Too much wind.",
    "two users in a row": "And tomorrow?",
    "assistant first": "We wait for the tide",
    "unknown role": "Night falls.",
}
assert _MARKS.keys() <= CHATS.keys()


def markdown_table(templates: Sequence[str], outcomes: Outcomes) -> str:
    """Return the table: a row for each template, a column for each kind of chat."""
    kinds = list(_MARKS)
    lines = [f"| template | {' | '.join(kinds)} |", "| :-- |" + " :-- |" * len(kinds)]
    for name in templates:
        cells = " | ".join(_seen(*outcomes[name, kind], _MARKS[kind]) for kind in kinds)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def _seen(text: str | None, refusal: str | None, mark: str) -> str:
    if refusal is not None:
        return "**refuses**"
    return "shown" if mark in (text or "") else "dropped"


_HEAD = """# What chat templates do

Written by `python -m tests.support.template_table` from the templates that {source}
carries. *shown*: the text is in the prompt; *dropped*: it silently is not; **refuses**: the template
raises an error.

"""


async def _rendered(templates: Mapping[str, str]) -> Outcomes:
    sandbox = Sandbox()
    found: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    try:
        for name, template in templates.items():
            for kind, chat in CHATS.items():
                request = RenderRequest(
                    template,
                    chat["messages"],
                    SPECIAL_TOKENS,
                    chat.get("tools"),
                    chat.get("add_generation_prompt", True),
                    chat.get("kwargs", {}),
                )
                try:
                    found[name, kind] = (await sandbox.render(request)).text, None
                except TemplateError as error:
                    found[name, kind] = None, str(error)
    finally:
        await sandbox.close()
    return found


def main() -> None:
    """Write the page."""
    templates = real_templates()
    table = markdown_table(list(templates), asyncio.run(_rendered(templates)))
    path = Path(__file__).parents[2] / "docs" / "chat-templates.md"
    path.write_text(f"{_HEAD.format(source=REQUIREMENT)}{table}\n", encoding="utf-8")
    print(f"{path.name}: {len(templates)} templates")


if __name__ == "__main__":
    main()

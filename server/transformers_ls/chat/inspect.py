"""The problems of a chat that show in its prompt."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.lint import lint
from transformers_ls.chat.problems import Problem, Severity
from transformers_ls.chat.repairs import repairs
from transformers_ls.chat.sandbox import RenderRequest, Sandbox, Study
from transformers_ls.errors import TemplateError

__all__ = ["Inspection", "add_repairs", "dropped", "examine", "has_generation_tags", "inspect"]

REFUSED: Final = "template-refuses"
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
_REASONING_END = "</think>"


def has_generation_tags(template: str) -> bool:
    """Whether a template marks what the model generates; without, an assistant mask is all zero."""
    import re

    return re.search(r"\{%[-+]?\s*generation\s*[-+]?%\}", template) is not None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is wrong with a chat, in order, and its prompt; None where there is none."""

    problems: list[Problem]
    prompt: str | None


async def inspect(
    conversation: Conversation,
    text: str,
    request: RenderRequest,
    sandbox: Sandbox,
    specials: Collection[str] = (),
) -> Inspection:
    """Find what is wrong with a chat under a template.

    Args:
        conversation: The chat.
        text: The document that it stands in.
        request: How the chat is rendered; its messages are those of the chat.
        sandbox: Where it is rendered.
        specials: The tokenizer's special tokens.
    """
    (study,) = await sandbox.study([request])
    problems = examine(conversation, text, request, study, specials)
    problems = await add_repairs(problems, conversation, text, request, sandbox)
    return Inspection(problems, None if isinstance(study, TemplateError) else study.text)


def examine(
    conversation: Conversation,
    text: str,
    request: RenderRequest,
    study: Study | TemplateError,
    specials: Collection[str] = (),
) -> list[Problem]:
    """Find what is wrong with a chat whose prompt is known, or why there is none; see `inspect`."""
    found = lint(conversation, text, specials=specials, template=request.template)
    whole = conversation.start, conversation.end
    if isinstance(study, TemplateError):
        found.append(Problem("template-limit", "error", str(study), *whole))
    elif study.refusal is not None:
        place = whole
        if study.at is not None and study.at < len(conversation.messages):
            place = conversation.messages[study.at].start, conversation.messages[study.at].end
        # What a program adds when it runs may be just what the template misses.
        partly = conversation.broken and not conversation.exact
        severity: Severity = "information" if partly else "error"
        found.append(Problem(REFUSED, severity, study.refusal.message, *place))
    elif study.text is not None:
        found += dropped(conversation, study.text)
        found += _double_bos(conversation, request, study.text)
        found += _prefix_changes(conversation, study.at)
    return sorted(found, key=lambda problem: (problem.start, problem.end))


async def add_repairs(
    problems: list[Problem],
    conversation: Conversation,
    text: str,
    request: RenderRequest,
    sandbox: Sandbox,
) -> list[Problem]:
    """Give a refusal the repairs that its template accepts."""
    if all(problem.code != REFUSED for problem in problems):
        return problems
    possible = list(repairs(conversation, text))
    tried = await sandbox.study([replace(request, messages=chat) for _, chat in possible])
    fixes = tuple(
        fix
        for (fix, _), study in zip(possible, tried, strict=True)
        if not isinstance(study, TemplateError) and study.refusal is None
    )
    return [
        replace(problem, fixes=fixes) if problem.code == REFUSED else problem
        for problem in problems
    ]


def dropped(conversation: Conversation, prompt: str) -> Iterator[Problem]:
    """Find what a chat says and its prompt does not.

    Blanks are not compared, and JSON escapes are allowed: templates trim texts and dump them.
    """
    shown = _Prompt(prompt)
    for message in conversation.messages:
        place = (message.content_start, message.content_end)
        reasoning, texts = _texts(message)
        if any(part not in shown for part in texts):
            yield Problem(
                "content-dropped",
                "warning",
                f"The chat template leaves out text of this {message.role[:40]} message.",
                *place,
            )
        if reasoning and reasoning not in shown:
            yield Problem(
                "reasoning-dropped",
                "information",
                "The chat template leaves out the reasoning of this message.",
                message.start,
                message.end,
            )
        name = message.raw.get("name")
        # A result's name is that of its function, which the call before it shows.
        if isinstance(name, str) and message.role != "tool" and name not in shown:
            yield Problem(
                "name-dropped",
                "information",
                "The chat template leaves out the name of this message's author.",
                message.start,
                message.end,
            )
        if any(name not in shown for name in _called(message)):
            yield Problem(
                "tool-calls-dropped",
                "warning",
                "The chat template leaves out the tool calls of this message.",
                message.start,
                message.end,
            )
    offered = [_tool_name(tool) for tool in conversation.tools or ()]
    if offered and not any(name in shown for name in offered):
        yield Problem(
            "tools-dropped",
            "warning",
            "The chat template leaves out the tools: the model will not know them.",
            conversation.row_start,
            conversation.row_start + 1,
        )


class _Prompt:
    """A prompt to search in, blanks and escapes aside."""

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        self._plain: str | None = None

    def __contains__(self, text: object) -> bool:
        if str(text).strip() in self._prompt:
            return True
        if self._plain is None:
            self._plain = _squeeze(self._prompt)
        words = _squeeze(str(text))
        dumped = _squeeze(json.dumps(text, ensure_ascii=False)[1:-1].replace("\\n", " "))
        return words in self._plain or dumped in self._plain.replace("\\n", " ")


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _texts(message: Message) -> tuple[str, list[str]]:
    """Return a message's reasoning and its other texts."""
    content = message.content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        texts = [part for part in parts if isinstance(part, str)]
    else:
        texts = [content] if isinstance(content, str) else []
    fields = [message.raw.get(name) for name in _REASONING_FIELDS]
    reasoning = next((value for value in fields if value and isinstance(value, str)), None) or ""
    if message.role == "assistant" and len(texts) == 1 and _REASONING_END in texts[0]:
        before, _, after = texts[0].rpartition(_REASONING_END)
        reasoning, texts = reasoning or before.strip().removeprefix("<think>"), [after]
    return reasoning, texts


def _called(message: Message) -> list[str]:
    calls = message.raw.get("tool_calls")
    return [_tool_name(call) for call in calls] if isinstance(calls, list) else []


def _tool_name(tool: Any) -> str:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return str(function.get("name", "")) if isinstance(function, dict) else ""


def _double_bos(
    conversation: Conversation, request: RenderRequest, prompt: str
) -> Iterator[Problem]:
    bos = request.special_tokens.get("bos_token")
    if bos and prompt.startswith(bos * 2):
        yield Problem(
            "double-bos",
            "warning",
            f"The prompt begins with two BOS tokens ({bos}): the template writes one, and the "
            "first message another.",
            conversation.messages[0].start,
            conversation.messages[0].end,
        )


def _prefix_changes(conversation: Conversation, at: int | None) -> Iterator[Problem]:
    if at is not None and at < len(conversation.messages):
        yield Problem(
            "prefix-changes",
            "hint",
            "From here on the prompt no longer begins as the one of the turn before: the template "
            "rewrites earlier turns, and engines cannot reuse what they computed.",
            conversation.messages[at].start,
            conversation.messages[at].end,
        )

"""The problems of a chat that show in its prompt."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from transformers_ls.chat.conversation import Conversation, Message
from transformers_ls.chat.failures import TemplateRefusedError
from transformers_ls.chat.lint import lint
from transformers_ls.chat.problems import Fix, Problem
from transformers_ls.chat.repairs import repairs
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateError, TemplateLimitError, TemplateRaisedError

__all__ = ["dropped", "has_generation_tags", "inspect"]

_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
_REASONING_END = "</think>"


def has_generation_tags(template: str) -> bool:
    """Whether a template marks what the model generates; without, an assistant mask is all zero."""
    import re

    return re.search(r"\{%[-+]?\s*generation\s*[-+]?%\}", template) is not None


async def inspect(
    conversation: Conversation,
    text: str,
    request: RenderRequest,
    sandbox: Sandbox,
    specials: Collection[str] = (),
) -> list[Problem]:
    """Find what is wrong with a chat under a template.

    Args:
        conversation: The chat.
        text: The document that it stands in.
        request: How the chat is rendered; its messages are those of the chat.
        sandbox: Where it is rendered.
        specials: The tokenizer's special tokens.
    """
    found = lint(conversation, text, specials=specials, template=request.template)
    try:
        prompt = (await sandbox.render(request)).text
    except TemplateRaisedError as error:
        found.append(await _refusal(conversation, text, request, sandbox, error))
    except TemplateLimitError as error:
        place = (conversation.start, conversation.end)
        found.append(Problem("template-limit", "error", str(error), *place))
    else:
        found += dropped(conversation, prompt)
        found += _double_bos(conversation, request, prompt)
        found += await _prefixes(conversation, request, sandbox)
    return sorted(found, key=lambda problem: (problem.start, problem.end))


async def _refusal(
    conversation: Conversation,
    text: str,
    request: RenderRequest,
    sandbox: Sandbox,
    error: TemplateRaisedError,
) -> Problem:
    """Find the message that a template refuses, and the repairs that it accepts."""
    whole = conversation.start, conversation.end
    if isinstance(error, TemplateRefusedError) and error.syntax:
        return Problem("template-refuses", "error", error.message, *whole)
    start, end = whole
    for count, message in enumerate(conversation.messages, start=1):
        part = replace(request, messages=request.messages[:count])
        if await _refuses(part, sandbox) == str(error):
            start, end = message.start, message.end
            break
    fixes: list[Fix] = []
    for fix, chat in repairs(conversation, text):
        if await _refuses(replace(request, messages=chat), sandbox) is None:
            fixes.append(fix)
    return Problem("template-refuses", "error", error.message, start, end, tuple(fixes))


async def _refuses(request: RenderRequest, sandbox: Sandbox) -> str | None:
    try:
        await sandbox.render(request)
    except TemplateError as error:
        return str(error)
    return None


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
        self._plain = _squeeze(prompt)

    def __contains__(self, text: object) -> bool:
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


async def _prefixes(
    conversation: Conversation, request: RenderRequest, sandbox: Sandbox
) -> list[Problem]:
    """Compare the prompts that each of the model's turns was, or will be, generated from.

    Where one is not the beginning of the next, an engine computes the conversation anew.
    """
    before: str | None = None
    messages = conversation.messages
    turns = [n for n in range(1, len(messages)) if messages[n].role == "assistant"]
    turns += [len(messages)] if messages[-1].role != "assistant" else []
    for turn in turns:
        part = replace(request, messages=request.messages[:turn], add_generation_prompt=True)
        try:
            prompt = (await sandbox.render(part)).text
        except TemplateRaisedError:
            continue
        except TemplateLimitError:
            return []
        if before is not None and not prompt.startswith(before):
            message = messages[turn - 1]
            return [
                Problem(
                    "prefix-changes",
                    "hint",
                    "From here on the prompt no longer begins as the one of the turn before: the "
                    "template rewrites earlier turns, and engines cannot reuse what they computed.",
                    message.start,
                    message.end,
                )
            ]
        before = prompt
    return []

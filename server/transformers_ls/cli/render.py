"""`transformers-ls render`: the prompt that a model sees for a chat."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from transformers_ls.cli._input import DEFAULT_MODEL, language_of_path, read_text
from transformers_ls.cli._template import add_template_argument, template_of
from transformers_ls.errors import UsageError

__all__ = ["add_arguments", "run"]

_RESERVED = frozenset({"messages", "conversation", "tools", "add_generation_prompt", "tokenize"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `render`."""
    parser.add_argument("path", nargs="?", default="-", metavar="PATH", help="a chat, or - (stdin)")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, metavar="MODEL")
    add_template_argument(parser)
    parser.add_argument("--no-generation-prompt", action="store_true")
    parser.add_argument("--tools", metavar="FILE", help="a JSON list of tool schemas")
    parser.add_argument("--kwargs", metavar="JSON", default="{}", help="more template variables")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Render the first chat of a file."""
    kwargs = _json(arguments.kwargs, "--kwargs")
    if not isinstance(kwargs, dict):
        raise UsageError("--kwargs must be a JSON object.")
    tools = _json(read_text(arguments.tools), arguments.tools) if arguments.tools else None
    if tools is not None and not (
        isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)
    ):
        raise UsageError(f"{arguments.tools} must hold a JSON list of tool schemas.")
    if reserved := _RESERVED.intersection(kwargs):
        raise UsageError(
            f"--kwargs cannot set {', '.join(sorted(reserved))}.",
            "Use --tools and --no-generation-prompt.",
        )
    answer = asyncio.run(_render(arguments, tools, kwargs))
    for problem in answer["problems"]:
        print(f"{problem['severity']}: {problem['message']}", file=sys.stderr)
    if arguments.json:
        json.dump(answer, sys.stdout, indent=2, ensure_ascii=False)
        print()
    else:
        sys.stdout.write(answer["text"])
        # A prompt often ends in the middle of a line; a terminal's next line should not start there.
        if sys.stdout.isatty() and not answer["text"].endswith("\n"):
            print()
    return 0


async def _render(
    arguments: argparse.Namespace, tools: list[Any] | None, kwargs: dict[str, Any]
) -> dict[str, Any]:
    from transformers_ls.chat.conversation import find_conversations
    from transformers_ls.chat.inspect import inspect
    from transformers_ls.chat.prompt import conversation_request
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    text = read_text(arguments.path)
    name = "standard input" if arguments.path == "-" else arguments.path
    conversations = find_conversations(language_of_path(arguments.path), text)
    if not conversations:
        raise UsageError(
            f"There is no chat in {name}.",
            'A chat is a JSON list of {"role": …, "content": …}, alone or under "messages".',
        )
    if len(conversations) > 1:
        print(f"This is the first of {len(conversations):,} chats.", file=sys.stderr)
    chat = conversations[0]
    if chat.broken:
        raise UsageError(f"The chat in {name} is cut off or broken JSON.")
    model = resolve(arguments.model)
    template = template_of(arguments, model.template, tools=bool(tools or chat.tools))
    counter = load_counter(model.tokenizer)
    request = conversation_request(
        template,
        chat,
        add_generation_prompt=not arguments.no_generation_prompt,
        tools=tools,
        kwargs=kwargs,
    )
    sandbox = Sandbox()
    try:
        inspection = await inspect(chat, text, request, sandbox, counter.special_tokens)
        # A refusal is an error here, with the template's words: there is nothing to print.
        prompt = inspection.prompt or (await sandbox.render(request)).text
    finally:
        await sandbox.close()
    contents = [m.content if isinstance(m.content, str) else "" for m in chat.messages]
    tokens, *per_message = counter.count_many([prompt, *contents])
    return {
        "text": prompt,
        "tokens": tokens,
        "exact": counter.exact,
        "messages": [
            {"role": message.role, "tokens": count}
            for message, count in zip(chat.messages, per_message, strict=True)
        ],
        "problems": [
            {"code": problem.code, "severity": problem.severity, "message": problem.message}
            for problem in inspection.problems
        ],
    }


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is not JSON: {error.msg} (line {error.lineno}).") from None

"""`transformers-ls render`: the prompt that a model sees for a chat."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from transformers_ls.cli._input import DEFAULT_MODEL, language_of_path, read_text
from transformers_ls.errors import UsageError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `render`."""
    parser.add_argument("path", nargs="?", default="-", metavar="PATH", help="a chat, or - (stdin)")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, metavar="MODEL")
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
    answer = asyncio.run(_render(arguments, tools, kwargs))
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
    from transformers_ls.chat.sandbox import RenderRequest, Sandbox
    from transformers_ls.chat.template import find_template
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    conversations = find_conversations(language_of_path(arguments.path), read_text(arguments.path))
    if not conversations:
        raise UsageError(
            f"There is no chat in {arguments.path}.",
            'A chat is a JSON list of {"role": …, "content": …}, alone or under "messages".',
        )
    chat = conversations[0]
    folder = resolve(arguments.model).folder
    template = find_template(folder, model=arguments.model)
    sandbox = Sandbox()
    try:
        rendered = await sandbox.render(
            RenderRequest(
                template=template.source,
                special_tokens=template.special_tokens,
                messages=chat.as_chat(),
                tools=tools if tools is not None else chat.tools,
                add_generation_prompt=not arguments.no_generation_prompt,
                kwargs={**chat.template_kwargs, **kwargs},
            )
        )
    finally:
        await sandbox.close()
    if not arguments.json:
        return {"text": rendered.text}
    counter = load_counter(folder)
    contents = [m.content if isinstance(m.content, str) else "" for m in chat.messages]
    tokens, *per_message = counter.count_many([rendered.text, *contents])
    messages = [
        {"role": message.role, "tokens": count}
        for message, count in zip(chat.messages, per_message, strict=True)
    ]
    return {"text": rendered.text, "tokens": tokens, "messages": messages, "problems": []}


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where} is not JSON: {error.msg} (line {error.lineno}).") from None

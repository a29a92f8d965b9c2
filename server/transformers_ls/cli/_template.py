"""The chat template that a command renders with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers_ls.chat.template import ChatTemplate

__all__ = ["add_template_argument", "template_of"]


def add_template_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--chat-template`."""
    parser.add_argument(
        "--chat-template",
        metavar="NAME|FILE",
        help="one of the model's templates by name (tool_use, rag …), or a .jinja file instead",
    )


def template_of(
    arguments: argparse.Namespace, folder: Path, *, tools: bool = False
) -> ChatTemplate:
    """Return the template that was asked for, or the one that transformers would choose.

    Raises:
        ModelError: There is none, or none of that name.
        ModelBrokenError: A file cannot be read.
    """
    from transformers_ls.chat.template import find_template, special_tokens, template_of_file

    asked = arguments.chat_template
    if asked and asked.endswith(".jinja"):
        return template_of_file(Path(asked), special_tokens(folder))
    return find_template(folder, asked, tools=tools, model=arguments.model)

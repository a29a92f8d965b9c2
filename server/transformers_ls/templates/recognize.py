"""Tell chat templates from the other texts that are written in jinja."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

__all__ = ["is_chat_template", "may_be_chat_template"]

_FOLDER: Final = "additional_chat_templates"
_NAME: Final = "chat_template"
_CHAT_WORDS: Final = re.compile(
    r"\b(messages|add_generation_prompt|raise_exception|bos_token|eos_token)\b"
    r"|\{%[-+]?\s*generation\b"
)
# Web pages and configurations; transformers could not render them.
_OTHER_TAGS: Final = re.compile(
    r"\{%[-+]?\s*(extends|block|include|import|from|trans|autoescape)\b"
)


def is_chat_template(uri: str, text: str) -> bool:
    """Say whether a jinja file is a chat template, by its name or by the words in it."""
    *folders, name = unquote(uri).lower().split("/")
    if _NAME in name or (folders and folders[-1] == _FOLDER):
        return True
    return _CHAT_WORDS.search(text) is not None


def may_be_chat_template(uri: str, text: str) -> bool:
    """Say whether a jinja file is a chat template, or may become one: nothing speaks against it."""
    return is_chat_template(uri, text) or _OTHER_TAGS.search(text) is None

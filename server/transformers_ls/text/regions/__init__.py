"""Regions: which parts of a document are a prompt, a message, a section?"""

from __future__ import annotations

from transformers_ls.text.regions.index import Regions
from transformers_ls.text.regions.model import Region, region_at
from transformers_ls.text.snapshot import Snapshot

__all__ = ["Region", "Regions", "find_regions", "region_at"]


def find_regions(language_id: str, snapshot: Snapshot) -> list[Region]:
    """Return the regions of a document in document order, outer before inner.

    Never fails on half-typed text. Takes about 0.5 s a megabyte, in which other threads can run:
    call it in a thread for anything but small documents.

    Args:
        language_id: As the editor names it; JSON Lines is `jsonl`, whatever the editor says.
        snapshot: The text.
    """
    text = snapshot.text
    match language_id.lower():
        case "markdown" | "ipythongfm" | "mdx" | "quarto" | "rmd":
            from transformers_ls.text.regions import markdown

            return markdown.find(text)
        case "python" | "ipython" | "ipythonpython":
            from transformers_ls.text.regions import python

            return python.find(text)
        case "json" | "jsonc" | "json5":
            from transformers_ls.text.regions import json

            return json.find(text)
        case "jsonl" | "jsonlines" | "ndjson":
            from transformers_ls.text.regions import json

            return json.find_in_lines(text)
        case "jinja" | "jinja2" | "jinja-html" | "django-html" | "django-txt" | "chat-template":
            from transformers_ls.text.regions import plain

            return plain.whole(text)
        case _:
            from transformers_ls.text.regions import plain

            return plain.paragraphs(text)

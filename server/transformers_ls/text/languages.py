"""The languages of files, by their names, as the LSP calls them."""

from __future__ import annotations

__all__ = ["language_of_name"]

_SURE = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jinja": "jinja",
    ".jinja2": "jinja",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".ipynb": "ipynb",
    ".prompty": "prompty",
    ".prompt": "dotprompt",
}
"""Where the file's name decides, whatever an editor says of its language."""

_OTHERS = {".md": "markdown", ".markdown": "markdown", ".py": "python", ".json": "json"}


def language_of_name(name: str, said: str | None = None) -> str:
    """Return the LSP language id of a file.

    Args:
        name: A file name, path or URI.
        said: What an editor takes it for, if one has it open.
    """
    name = name.rsplit("/", 1)[-1].lower()
    known = _SURE if said is not None else _SURE | _OTHERS
    for extension, language in known.items():
        if name.endswith(extension):
            return language
    return "plaintext" if said is None else said

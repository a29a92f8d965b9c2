"""What several commands read: texts, models, and a progress line."""

from __future__ import annotations

import sys
from pathlib import Path

from transformers_ls.errors import UsageError
from transformers_ls.text.languages import language_of_name

__all__ = ["DEFAULT_MODEL", "language_of_path", "read_text"]

DEFAULT_MODEL = "smollm2-135m"


def language_of_path(path: str) -> str:
    """Return the LSP language id of a file name; a chat on stdin is JSON."""
    return "json" if path == "-" else language_of_name(Path(path).name)


def read_text(path: str) -> str:
    """Read a UTF-8 file, or stdin for `-`, with its line ends as they are.

    Raises:
        UsageError: The file cannot be read, or is not UTF-8 text.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text (byte {error.start:,}).", "Convert it to UTF-8 first."
        ) from None

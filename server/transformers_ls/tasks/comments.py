"""How a line is made a comment, by LSP language ids."""

from __future__ import annotations

__all__ = ["line_comment"]

_MARKS = {
    "# ": "python yaml toml shellscript ruby perl r julia elixir makefile dockerfile powershell",
    "// ": "javascript javascriptreact typescript typescriptreact rust go c cpp csharp java kotlin "
    "swift scala dart php cuda-cpp",
    "-- ": "lua sql haskell",
}
_BY_LANGUAGE = {name: mark for mark, names in _MARKS.items() for name in names.split()}


def line_comment(language_id: str) -> str | None:
    """Return what begins a line comment, blank included; None when that is not known."""
    return _BY_LANGUAGE.get(language_id)

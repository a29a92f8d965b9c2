"""Results that are long are written as JSON beside the event loop, bit by bit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from transformers_ls.text.turns import give_way

__all__ = ["is_long", "write"]

_LISTS: Final = ("items", "data", "tokens")
"""Where results that are objects may hold long lists; JSON has the same names for them."""
_MANY: Final = 2_000
"""Numbers or strings, which take some tenths of a millisecond."""
_FEW: Final = 32
"""Objects, which take as long."""

Plain = Callable[[Any], Any]


def is_long(result: Any) -> bool:
    """Tell whether to write a result would hold the event loop up for more than a millisecond."""
    if isinstance(result, list):
        return len(result) > 2 * _step(result)
    return any(is_long(value) for value in _lists(result).values())


def write(result: Any, plain: Plain) -> str:
    """Return a result as JSON; use a thread.

    Args:
        result: A list, or an object of LSP's types or ours.
        plain: Returns JSON's own values for a part of it.
    """
    if isinstance(result, list):
        return "".join(_parts(result, plain))
    lists = _lists(result)
    rest = plain(attrs.evolve(result, **{name: [] for name in lists}))
    fields = [
        f"{json.dumps(name)}: {''.join(_parts(lists[name], plain))}"
        if name in lists
        else f"{json.dumps(name)}: {json.dumps(value)}"
        for name, value in rest.items()
    ]
    return f"{{{', '.join(fields)}}}"


def _lists(result: Any) -> dict[str, list[Any]]:
    if not attrs.has(type(result)):
        return {}
    found = ((name, getattr(result, name, None)) for name in _LISTS)
    return {name: value for name, value in found if isinstance(value, list)}


def _parts(items: list[Any], plain: Plain) -> Iterator[str]:
    yield "["
    step = _step(items)
    for start in range(0, len(items), step):
        give_way()
        yield ", " * bool(start) + json.dumps(plain(items[start : start + step]))[1:-1]
    yield "]"


def _step(items: list[Any]) -> int:
    return _MANY if items and isinstance(items[0], int | str) else _FEW

"""Reads settings from JSON: wrong values are reported and replaced by their defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from transformers_ls.settings import SECTION, Settings, camel_case

__all__ = ["parse_settings"]


def parse_settings(value: object) -> tuple[Settings, list[str]]:
    """Read settings from JSON.

    Args:
        value: The object under `transformers`, or None; unknown keys are ignored, since a client may
            be newer than the server.

    Returns:
        The settings, and one message for each value that had to be replaced by its default.
    """
    problems: list[str] = []
    settings = _parse(Settings, value, SECTION, problems)
    assert isinstance(settings, Settings)
    return settings, problems


def _parse(cls: Any, value: object, prefix: str, problems: list[str]) -> object:
    if value is None:
        return cls()
    if not isinstance(value, Mapping):
        problems.append(f"`{prefix}` must be an object; its defaults are used.")
        return cls()
    hints = get_type_hints(cls)
    known: dict[str, Any] = {}
    for item in fields(cls):
        key, kind = camel_case(item.name), hints[item.name]
        if key not in value or value[key] is None:
            continue
        path = f"{prefix}.{key}"
        if is_dataclass(kind):
            known[item.name] = _parse(kind, value[key], path, problems)
            continue
        try:
            known[item.name] = _convert(kind, value[key], item.metadata["minimum"])
        except ValueError as error:
            problems.append(f"`{path}` {error}; the default is used.")
    return cls(**known)


def _convert(kind: Any, value: object, minimum: float | None) -> Any:
    if kind == _NUMBERS:
        if not isinstance(value, Mapping):
            raise ValueError("must be an object of whole numbers")
        return tuple((str(key), _convert(int, item, minimum)) for key, item in value.items())
    if get_origin(kind) is tuple:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple) or not all(isinstance(i, str) for i in items):
            raise ValueError("must be a list of strings")
        return tuple(items)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(map(repr, get_args(kind)))}")
        return value
    # bool is an int in Python, but `true` is no number of tokens.
    if kind is bool or isinstance(value, bool):
        if kind is not bool or not isinstance(value, bool):
            raise ValueError(f"must be {_NAMES[kind]}")
        return value
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind):
        raise ValueError(f"must be {_NAMES[kind]}")  # noqa: TRY004 - a value of the user's, not of ours.
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be a finite number")
    if minimum is not None and value < minimum:
        raise ValueError(f"must be at least {minimum:g}")
    return value


_NUMBERS = tuple[tuple[str, int], ...]
"""A JSON object of whole numbers, in a form that can be compared and cannot be changed."""

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}

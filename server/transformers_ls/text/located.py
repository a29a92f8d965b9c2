"""Values with their places: what the readers of JSON, YAML and Python literals give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["MAX_DEPTH", "Node"]

MAX_DEPTH: Final = 200
"""Containers nested deeper are not read: no chat has them, and json and jinja recurse."""


@dataclass(slots=True, eq=False)
class Node:
    """A value and its place in code points, delimiters included.

    `value` is what the language's own loader would make of it. `fields` are the members of an
    object and `items` the elements of an array. `whole` is false when something may be missing: it
    was closed for lack of its delimiter, its last value is about to be typed, or a program adds
    more elements. `exact` is false when a part of it is only
    known when a program runs. `key` is an object's key that waits for its value, once `colon` was
    seen.
    """

    start: int
    end: int
    value: Any
    whole: bool = True
    fields: dict[str, Node] = field(default_factory=dict, repr=False)
    items: list[Node] = field(default_factory=list, repr=False)
    key: str | None = None
    colon: bool = False
    exact: bool = True

    def take(self, child: Node) -> None:
        """Put a value that was just read where it belongs in this container."""
        self.exact = self.exact and child.exact
        if isinstance(self.value, list):
            self.value.append(child.value)
            self.items.append(child)
        elif self.key is not None:
            self.value[self.key] = child.value
            self.fields[self.key] = child
            self.expect(None)

    def expect(self, key: str | None, *, colon: bool = False) -> None:
        """Remember the key whose value comes next; with `colon`, that its colon was seen."""
        self.key, self.colon = key, colon

    @property
    def wants_value(self) -> bool:
        """Whether the next value has a place here."""
        return isinstance(self.value, list) or self.colon

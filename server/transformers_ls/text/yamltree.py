"""YAML with the place of every value, read through half-typed text.

libyaml's own events are used, so that every scalar is what a YAML loader gives: folding, chomping,
escapes and all. It gives up at the first error; here the line at fault is read as if it were blank,
and whatever is open when that does not help is closed there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from transformers_ls.text.located import MAX_DEPTH, Node

__all__ = ["read_yaml"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_IN_YAML = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_TAG: Final = "tag:yaml.org,2002:"
_TYPED: Final = frozenset(_TAG + name for name in ("null", "bool", "int", "float"))
_MERGE: Final = "<<"
_MAX_REPAIRS: Final = 16
_REPAIRED_CHARACTERS: Final = 2_000_000
"""How much text is read again for the sake of errors; a file full of `{{ … }}` has many."""
_MAX_EXPANDED: Final = 100_000
"""Values that aliases may stand for in all: ten lines of them can stand for a billion."""


class _Builder:
    """Puts the events of a parser together; `roots` holds the documents."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.roots: list[Node] = []
        self.broken = False
        self._open: list[tuple[Node, str | None]] = []
        # How many values each open container holds, aliases counted as what they stand for.
        self._weights: list[int] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._expanded = 0

    def add(self, event: Any) -> None:
        """Take the next event."""
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.ScalarEvent):
            if event.style in ("|", ">"):
                end = start + _visible(self.text[start:end])
            if self._is_key():
                self._open[-1][0].expect(event.value, colon=True)
                self._anchor(event.anchor, Node(start, end, event.value), 1)
            else:
                self._place(Node(start, end, _value(event)), event.anchor, 1)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            value: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            # A block has no delimiters: it ends where its last value does.
            self._open.append((Node(start, end if end > start else -1, value), event.anchor))
            self._weights.append(1)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._close(start, end)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor, start, end)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    @property
    def too_deep(self) -> bool:
        """Whether containers are nested deeper than is read."""
        return len(self._open) > MAX_DEPTH

    def finish(self, end: int) -> None:
        """Close whatever is open, for lack of more events."""
        self.broken = True
        while self._open:
            self._open[-1][0].whole = False
            self._close(end, end)

    def _is_key(self) -> bool:
        return bool(self._open) and not self._open[-1][0].wants_value

    def _close(self, start: int, end: int) -> None:
        node, anchor = self._open.pop()
        weight = self._weights.pop()
        if node.end < 0 or end == start:
            children = [*node.items, *node.fields.values()]
            node.end = max((child.end for child in children), default=node.start)
            last = children[-1] if children else None
            if last is not None and last.start == last.end and isinstance(node.value, dict):
                node.whole = False  # `content:`, and nothing after it.
        else:
            node.end = end
        node.end = max(node.end, node.start)
        if isinstance(node.value, dict):
            node.key, node.colon = None, False
        if self._is_key():
            # A container as a key means nothing to a chat; its value is read under no name.
            self._open[-1][0].expect("", colon=True)
        else:
            self._place(node, anchor, weight)

    def _place(self, node: Node, anchor: str | None, weight: int) -> None:
        self._anchor(anchor, node, weight)
        if not self._open:
            self.roots.append(node)
            return
        holder = self._open[-1][0]
        self._weights[-1] += weight
        if holder.key == _MERGE:
            _merge(holder, node)
            holder.expect(None)
        else:
            holder.take(node)

    def _anchor(self, anchor: str | None, node: Node, weight: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, weight)

    def _alias(self, anchor: str, start: int, end: int) -> None:
        target, weight = self._anchors.get(anchor, (None, 1))
        self._expanded += weight
        if target is None or self._expanded > _MAX_EXPANDED:
            self.broken = True
            target, weight = Node(start, end, None), 1
        if self._is_key():
            self._open[-1][0].expect(str(target.value), colon=True)
            return
        node = Node(start, end, target.value, fields=target.fields, items=target.items)
        self._place(node, None, weight)


def _merge(holder: Node, given: Node) -> None:
    """Lay a mapping, or several, under the members that a mapping has itself."""
    for source in given.items or [given]:
        for key, child in source.fields.items():
            if key not in holder.fields:
                holder.fields[key] = child
                holder.value[key] = child.value


def _visible(source: str) -> int:
    """Return where the last visible line of a block scalar ends."""
    end = len(source.rstrip())
    rest = re.compile(r"[ \t]*").match(source, end)
    return rest.end() if rest else end


@cache
def _types() -> tuple[Resolver, SafeConstructor]:
    return Resolver(), SafeConstructor()


def _value(event: Any) -> Any:
    """Return a scalar's value; what JSON has no type for, a date for one, stays a text."""
    resolver, constructor = _types()
    tag = event.tag
    if tag is None or tag == "!":
        tag = resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
    if tag not in _TYPED:
        return event.value
    node = yaml.ScalarNode(tag, event.value)
    try:
        return constructor.yaml_constructors[tag](constructor, node)
    except (ValueError, KeyError, IndexError, OverflowError):
        return event.value


def read_yaml(text: str) -> tuple[list[Node], bool]:
    """Read all documents of a YAML text.

    Returns:
        The documents, and whether something in the text was not YAML.
    """
    source = _NOT_IN_YAML.sub("\ufffd", text)
    broken = source != text
    shift = 0
    if text.startswith("\ufeff"):
        # libyaml does not count it, and what stands after it is at column 0.
        source, shift, broken = source[1:], 1, source[1:] != text[1:]
    for _ in range(max(1, min(_MAX_REPAIRS, _REPAIRED_CHARACTERS // (len(source) + 1)))):
        builder = _Builder(source)
        error = _read(source, builder)
        if error is None:
            break
        broken = True
        repaired = _repaired(source, error)
        if repaired == source:
            break
        source = repaired
    if shift:
        for node in _nodes(builder.roots):
            node.start, node.end = node.start + shift, node.end + shift
    return builder.roots, broken or builder.broken


def _read(source: str, builder: _Builder) -> yaml.MarkedYAMLError | None:
    parser = _Loader(source)
    try:
        while parser.check_event():
            builder.add(parser.get_event())
            if builder.too_deep:
                builder.finish(parser.peek_event().start_mark.index)
                return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        builder.finish(mark.index if mark else len(source))
        return error
    finally:
        parser.dispose()
    return None


def _repaired(source: str, error: yaml.MarkedYAMLError) -> str:
    """Return the text, as long as before, without what an error complains of."""
    context = error.context or ""
    mark = error.problem_mark
    if context.startswith("while scanning a quoted scalar") and error.context_mark:
        # Without its quote, the text that is being typed is a plain one.
        at = error.context_mark.index
        return source[:at] + " " + source[at + 1 :]
    if re.match("while (scanning a simple key|parsing a flow)", context):
        mark = error.context_mark
    if mark is None:
        return source
    start = source.rfind("\n", 0, mark.index) + 1
    end = source.find("\n", mark.index)
    end = len(source) if end < 0 else end
    return source[:start] + " " * (end - start) + source[end:]


def _nodes(roots: list[Node]) -> Iterator[Node]:
    """Yield every value once, although aliases share some."""
    seen: set[int] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            pending += [*node.items, *node.fields.values()]

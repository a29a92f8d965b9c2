"""Which names a template defines, where they can be seen, and where names are used.

Scopes are jinja's: the body of a loop, a macro, a `call`, `filter`, `with`, `generation` or `set`
block is one; that of an `if` is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from transformers_ls.templates.environment import Place

__all__ = ["Definition", "Names", "Scope", "Use", "find_names", "places", "walk"]

_MACRO_NAMES = ("caller", "varargs", "kwargs")


@dataclass(frozen=True, slots=True)
class Definition:
    """A name gets a value: how, from which offset on it has it, and where it is written.

    `how` is `set`, `loop variable`, `argument`, `macro`, `with`, `import` or `loop`.
    """

    name: str
    how: str
    since: int
    target: tuple[int, int] = (0, 0)


@dataclass(slots=True, eq=False)
class Scope:
    """A part of the template with names of its own."""

    kind: str
    parent: Scope | None
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    end: int = 0

    def define(self, name: str, how: str, since: int = 0, target: tuple[int, int] = (0, 0)) -> None:
        """Note that a name gets a value here."""
        found = Definition(name, how, since, target)
        self.definitions.setdefault(name, []).append(found)

    def chain(self) -> Iterator[Scope]:
        """Yield this scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def resolve(self, name: str, offset: int) -> Scope | None:
        """Return the scope that gives a name its value at an offset of this scope.

        What a macro uses may be defined after it: it counts when the macro is called.
        """
        deferred = False
        for scope in self.chain():
            found = scope.definitions.get(name)
            if found and (deferred or found[0].since <= offset):
                return scope
            deferred = deferred or scope.kind == "macro"
        return None


@dataclass(frozen=True, slots=True)
class Use:
    """A name is read."""

    name: str
    start: int
    end: int
    scope: Scope


@dataclass(slots=True)
class Names:
    """All names of a template; `tested` are those it asks `is defined` of, or gives a default."""

    root: Scope
    scopes: list[Scope] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    tested: set[str] = field(default_factory=set)


def find_names(template: nodes.Template) -> Names:
    """Find the names of a template."""
    root = Scope("template", None)
    names = Names(root, [root])
    _Walk(names).statements(template.body, root)
    return names


def places(node: nodes.Node) -> tuple[int, int]:
    """Return the start and the end of the token that a node was made at."""
    place = node.lineno
    return (place.start, place.end) if isinstance(place, Place) else (0, 0)


def walk(node: nodes.Node | None) -> Iterator[nodes.Node]:
    """Yield a node and all below it. Not by recursion: `a + a + …` may be thousands deep."""
    stack = [node] if node is not None else []
    while stack:
        here = stack.pop()
        yield here
        stack.extend(here.iter_child_nodes())


class _Walk:
    """Statements nest no deeper than jinja's parser can recurse, so recursion is safe for them."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def statements(self, body: Iterable[nodes.Node], scope: Scope) -> int:
        end = 0
        for node in body:
            visit = getattr(self, f"_{type(node).__name__.lower()}", self._expressions)
            end = max(end, visit(node, scope))
        scope.end = max(scope.end, end)
        return end

    def _inner(self, kind: str, scope: Scope) -> Scope:
        inner = Scope(kind, scope)
        self._names.scopes.append(inner)
        return inner

    def _expressions(self, node: nodes.Node | None, scope: Scope) -> int:
        end = 0
        for part in walk(node):
            end = max(end, places(part)[1])
            if isinstance(part, nodes.Name | nodes.NSRef):
                self._names.uses.append(Use(part.name, *places(part), scope))
            elif _is_test_of_definition(part) and isinstance(part.node, nodes.Name):  # type: ignore[attr-defined]
                self._names.tested.add(part.node.name)  # type: ignore[attr-defined]
        return end

    def _store(self, target: nodes.Node, how: str, since: int, scope: Scope) -> None:
        for part in walk(target):
            if isinstance(part, nodes.NSRef):
                self._names.uses.append(Use(part.name, *places(part), scope))
            elif isinstance(part, nodes.Name):
                scope.define(part.name, how, since, places(part))

    def _assign(self, node: nodes.Assign, scope: Scope) -> int:
        end = max(self._expressions(node.node, scope), places(node.target)[1])
        self._store(node.target, "set", end, scope)
        return end

    def _assignblock(self, node: nodes.AssignBlock, scope: Scope) -> int:
        self._expressions(node.filter, scope)
        end = self.statements(node.body, self._inner("set", scope))
        end = max(end, places(node.target)[1])
        self._store(node.target, "set", end, scope)
        return end

    def _for(self, node: nodes.For, scope: Scope) -> int:
        self._expressions(node.iter, scope)
        inner = self._inner("for", scope)
        self._store(node.target, "loop variable", 0, inner)
        inner.define("loop", "loop")
        self._expressions(node.test, inner)
        end = self.statements(node.body, inner)
        return max(end, self.statements(node.else_, self._inner("for", scope)), places(node)[1])

    def _if(self, node: nodes.If, scope: Scope) -> int:
        end = self._expressions(node.test, scope)
        for body in (node.body, node.elif_, node.else_):
            end = max(end, self.statements(body, scope))
        return end

    def _macro(self, node: nodes.Macro, scope: Scope) -> int:
        scope.define(node.name, "macro")
        return self._callable(node, scope, "macro")

    def _callblock(self, node: nodes.CallBlock, scope: Scope) -> int:
        self._expressions(node.call, scope)
        return self._callable(node, scope, "call")

    def _callable(self, node: Any, scope: Scope, kind: str) -> int:
        inner = self._inner(kind, scope)
        for argument in node.args:
            self._store(argument, "argument", 0, inner)
        for value in node.defaults:
            self._expressions(value, inner)
        for name in _MACRO_NAMES:
            inner.define(name, "macro")
        return max(self.statements(node.body, inner), places(node)[1])

    def _filterblock(self, node: nodes.FilterBlock, scope: Scope) -> int:
        self._expressions(node.filter, scope)
        return self.statements(node.body, self._inner("filter", scope))

    def _with(self, node: nodes.With, scope: Scope) -> int:
        inner = self._inner("with", scope)
        for value in node.values:
            self._expressions(value, scope)
        for target in node.targets:
            self._store(target, "with", 0, inner)
        return self.statements(node.body, inner)

    def _block(self, node: nodes.Block, scope: Scope) -> int:
        return self.statements(node.body, self._inner("block", scope))

    def _scope(self, node: nodes.Scope, scope: Scope) -> int:
        return self.statements(node.body, self._inner("with", scope))

    def _scopedevalcontextmodifier(
        self, node: nodes.ScopedEvalContextModifier, scope: Scope
    ) -> int:
        return self.statements(node.body, scope)

    def _import(self, node: nodes.Import, scope: Scope) -> int:
        scope.define(node.target, "import")
        return self._expressions(node.template, scope)

    def _fromimport(self, node: nodes.FromImport, scope: Scope) -> int:
        for name in node.names:
            scope.define(name if isinstance(name, str) else name[1], "import")
        return self._expressions(node.template, scope)


def _is_test_of_definition(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Test):
        return node.name in ("defined", "undefined")
    return isinstance(node, nodes.Filter) and node.name in ("default", "d")

"""Names that have no value where they are read, and values that are lost before they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from transformers_ls.chat.problems import Edit, Fix, Problem
from transformers_ls.templates.scopes import Definition, Names, Scope, Use
from transformers_ls.templates.vocabulary import FUNCTIONS, KWARGS, SPECIAL_TOKENS, VARIABLES

__all__ = ["find_lost", "find_undefined"]


def find_undefined(names: Names, special_tokens: Collection[str]) -> Iterator[Problem]:
    """Find names that nobody gives a value.

    What looks like a slip of the pen is a warning, and so is what has a value in another block
    only. Anything else, and what gets its value further down, may be an argument that the caller
    passes: a hint, once.
    """
    given = {*VARIABLES, *SPECIAL_TOKENS, *FUNCTIONS, *KWARGS, *special_tokens}
    elsewhere = {name for scope in names.scopes for name in scope.definitions}
    told = set()
    for use in names.uses:
        name = use.name
        if name in given or name in names.tested or use.scope.resolve(name, use.start):
            continue
        later = any(name in scope.definitions for scope in use.scope.chain())
        if name in elsewhere and not later:
            yield _out_of_scope(use, names)
        elif not later and (near := get_close_matches(name, _visible(use.scope) | given, 1, 0.8)):
            message = f"`{name}` has no value here. Did you mean `{near[0]}`?"
            fix = Fix(f"Change to `{near[0]}`", (Edit(use.start, use.end, near[0]),))
            yield Problem("undefined-name", "warning", message, use.start, use.end, (fix,))
        elif name not in told:
            told.add(name)
            message = (
                f"`{name}` has a value only when the caller passes it to `apply_chat_template`."
                " Test it with `is defined`, or give it a default."
            )
            yield Problem("undefined-name", "hint", message, use.start, use.end)


def _visible(scope: Scope) -> set[str]:
    return {name for here in scope.chain() for name in here.definitions}


def _out_of_scope(use: Use, names: Names) -> Problem:
    kind = next(scope.kind for scope in names.scopes if use.name in scope.definitions)
    message = (
        f"`{use.name}` has no value here: it is set inside a `{kind}`, and is not seen outside."
    )
    if kind in ("for", "call"):
        message += " Keep it in a `namespace`."
    return Problem("undefined-name", "warning", message, use.start, use.end)


def find_lost(names: Names) -> Iterator[Problem]:
    """Find `set` inside a loop that is meant to change a name outside of it, and does not."""
    uses: dict[str, list[Use]] = {}
    for use in names.uses:
        uses.setdefault(use.name, []).append(use)
    for loop in names.scopes:
        if loop.kind != "for" or loop.parent is None:
            continue
        for name, definitions in loop.definitions.items():
            first = definitions[0]
            outer = loop.parent.resolve(name, first.since) if first.how == "set" else None
            if outer is None or outer.definitions[name][0].how != "set":
                continue
            if any(_reads_outer(use, loop, first, outer) for use in uses.get(name, ())):
                message = (
                    f"`set` inside a loop makes a new `{name}` in each round; the one outside"
                    " keeps its value. Keep it in a `namespace`."
                )
                yield Problem("lost-assignment", "warning", message, *first.target)


def _reads_outer(use: Use, loop: Scope, inner: Definition, outer: Scope) -> bool:
    """Say whether a use reads the outer name where the value of the loop was meant."""
    if use.scope.resolve(use.name, use.start) is not outer:
        return False
    inside = loop in use.scope.chain()
    return use.start < inner.since if inside else use.start > loop.end

"""What is wrong with a chat template, or would be in another engine, at its place."""

from __future__ import annotations

from collections.abc import Collection

from transformers_ls.chat.problems import Problem
from transformers_ls.templates.faults import explain
from transformers_ls.templates.portability import find_unportable
from transformers_ls.templates.refusals import find_refusals
from transformers_ls.templates.scopes import find_names
from transformers_ls.templates.syntax import parse
from transformers_ls.templates.undefined import find_lost, find_undefined

__all__ = ["lint"]


def lint(source: str, special_tokens: Collection[str] = ()) -> list[Problem]:
    """Find the problems of a template, in document order.

    Args:
        source: The template.
        special_tokens: Names of special tokens that its tokenizer has besides the usual ones.

    A template that cannot be parsed has one problem: nothing else is known of it.
    """
    tree = parse(source)
    if tree.fault is not None:
        fault = tree.fault
        message = explain(source, fault)
        return [Problem("template-syntax", "error", message, fault.start, fault.end)]
    if tree.root is None:
        return []
    names = find_names(tree.root)
    problems = [
        *find_refusals(source, tree.root),
        *find_undefined(names, special_tokens),
        *find_lost(names),
        *find_unportable(source, tree.root, names),
    ]
    return sorted(problems, key=lambda problem: (problem.start, problem.end))

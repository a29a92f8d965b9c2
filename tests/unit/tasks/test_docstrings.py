"""Docstrings: which code is meant, what of an answer is one, and where it goes."""

from __future__ import annotations

import ast

import pytest

from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.docstrings import clean, documented_span, place_docstring
from transformers_ls.text.snapshot import Snapshot

CODE = '''import os


class Box:
    """Old words."""

    size = 3

    @property
    def area(self) -> int:
        # The square.
        return self.size**2

    def grow(self, by: int) -> None:
        self.size += by


async def é(one, two):
    return one + two


def inline(): return 1
'''


def written(code: str, selected: str, answer: str, language: str = "python") -> str:
    """Return code with an answer for a selection, as an editor would apply it."""
    start = code.index(selected)
    span = documented_span(code, start, start + len(selected), language)
    edit = place_docstring(Snapshot.of(code), *span, answer, language)
    return code[: edit.start] + edit.text + code[edit.end :]


def docstring(code: str, *path: str) -> str | None:
    node: ast.AST = ast.parse(code)
    for name in path:
        node = next(item for item in ast.walk(node) if getattr(item, "name", None) == name)
    return ast.get_docstring(node)


@pytest.mark.parametrize(
    ("selected", "path"),
    [
        ("self.size**2", ("Box", "area")),
        ("@property", ("Box", "area")),
        ("    @property\n    def area(self) -> int:\n", ("Box", "area")),
        ("self.size += by\n", ("Box", "grow")),
        ("size = 3", ("Box",)),
        ("class Box", ("Box",)),
        ("one + two", ("é",)),
        ("import os\n\n\nclass Box", ("Box",)),
        ("inline", ("inline",)),
    ],
)
def test_the_innermost_definition_is_documented(selected, path):
    code = written(CODE, selected, "Do it.\n\nArgs:\n    one: First.")
    assert docstring(code, *path) == "Do it.\n\nArgs:\n    one: First."
    others = {("Box",), ("Box", "area"), ("Box", "grow"), ("é",), ("inline",)} - {path}
    assert {docstring(code, *other) for other in others} <= {None, "Old words."}
    # Nothing else changed.
    assert ast.dump(_without_docstrings(code)) == ast.dump(_without_docstrings(CODE))


def _without_docstrings(code: str) -> ast.Module:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node) is not None
        ):
            del node.body[0]
    return tree


def test_a_docstring_stands_as_it_should():
    assert (
        written(CODE, "def grow", "Grow it.")
        .partition("def grow")[2]
        .startswith('(self, by: int) -> None:\n        """Grow it."""\n        self.size += by\n')
    )
    assert written(CODE, "def inline", "One.\n\nMore.").endswith(
        'def inline():\n    """One.\n\n    More.\n    """\n    return 1\n'
    )
    windows = written("def f():\r\n\treturn 1\r\n", "def f", "One.\n\nTwo.")
    assert windows == 'def f():\r\n\t"""One.\r\n\r\n\tTwo.\r\n\t"""\r\n\treturn 1\r\n'


@pytest.mark.parametrize(
    ("code", "selected"),
    [("x = 1\n", "x"), ("", ""), ("def f(", "def"), ("# def f(): pass\n", "def f")],
)
def test_where_there_is_no_definition(code, selected):
    with pytest.raises(UsageError, match="no function or class"):
        written(code, selected, "Words.")


def test_a_signature_of_several_lines():
    code = written("def f(\n    a,\n): return a\n", "a,", "Words.")
    assert docstring(code, "f") == "Words."


@pytest.mark.parametrize(
    "answer",
    [
        "Add two.",
        '"""Add two."""',
        '```python\n"""Add two."""\n```',
        "```\nAdd two.\n```",
        "Here is the docstring:\n\nAdd two.",
        'def add(a, b):\n    """Add two."""\n    return a + b',
        "Sure! Here it is:\n```python\ndef add(a, b):\n    '''\n    Add two.\n    '''\n```\nEnjoy!",
        '"Add two."',
        '"""Add two.',
        "`Add two.`",
    ],
)
def test_what_models_write_around_a_docstring_is_dropped(answer):
    assert clean(answer) == "Add two."


@pytest.mark.parametrize("answer", ["", '""""""', "def f():\n    return 1", "```\n\n```"])
def test_no_docstring_at_all(answer):
    with pytest.raises(EngineError, match="no docstring"):
        clean(answer)


@pytest.mark.parametrize(
    "text", ['Say "hi"', "A path like C:\\new", "Ends in \\", 'Has """ inside.', "Ünï \\d+ 🙂"]
)
def test_any_text_makes_a_valid_literal(text):
    code = written("def f():\n    return 1\n", "def f", text)
    assert (docstring(code, "f") or "").strip() == text.replace('"""', "'''")


@pytest.mark.parametrize(
    "answer",
    [
        "Return one.\n\nAlways.",
        "/**\n * Return one.\n *\n * Always.\n */",
        "```java\n/** Return one.\n\n Always. */\nint f() { return 1; }\n```",
        "Here you go:\n```\n// Return one.\n//\n// Always.\nint f() { return 1; }\n```\n",
    ],
)
def test_other_languages_get_a_comment_above(answer):
    code = "  \nclass A {\n    int f() {\n        return 1;\n    }\n}\n"
    assert written(code, "int f() {\n        return 1;", answer, "java") == code.replace(
        "    int f()", "    // Return one.\n    //\n    // Always.\n    int f()"
    )


def test_a_language_without_known_comments():
    with pytest.raises(UsageError, match="markdown"):
        written("# Title\n", "Title", "Words.", "markdown")

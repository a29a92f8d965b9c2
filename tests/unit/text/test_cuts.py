"""Where a document may be cut; `|` marks each place in the texts below."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transformers_ls.text.regions import cuts

BLOCKS = {
    "nothing": "",
    "fence": "```\n\nin\n\n# in\n\n```\n\n|out\n",
    "fence below text": "a\n```x\n\nin\n\n~~~\n\nin\n```\n\n|out\n\n|# y`\n",
    "open fence": "\n\n|a\n\n````\n\n```\n\nin\n",
    "no fence": "a\n``` `x`\n\n|out\n",
    "shorter fence": "~~~~\n\nin\n\n~~~\n\nin\n\n~~~~~\n\n|out",
    "comment": "<!--\n\nin\n\n-->\n\n|out\n\n<?\n\nin\n\n?>\n\n|b",
    "open comment": "x\n<!--\n\nin\n",
    "raw": "<Pre>\n\nin\n\n</pre>\n\n|out\n\n<prefix>\n\n|out\n",
    "front matter": "---\na:\n\nb: 1\n---\n\n|out\n\n---\n\n|b",
    "toml": "+++\n\na = 1\n\n+++\n\n|out\n",
    "rule": "---\n\n|out\n",
    "no block": "a\n\n- b\n\n  c\n\n> d\n\n    e\n\n1. f\n\n---\n\n#hash\n\n|g\n# h\n",
    "line ends": "a\r\r|b\r\n\r\n|c\r\n\n|d\n",
}
STATEMENTS = {
    "nothing": "x = 1",
    "assignments": "x = 1\n|y: int = 2\nz == 3\n(a) = 1\n|é = 4\n5\n|t=6\n",
    "comment": "# '\n|import os\r\n|from a import b\n",
    "strings": "'''\nimport a\n\\'''\n'''\n|x = '\n|y = '\n|z = 'a\\\nb = 1'\n|c = 2\n",
    "open string": 'a = 1\n|b = """\ndef f():\n',
    "open string that ends with a backslash": 'a = 1\n|b = """\ndef f():\n\\',
    "decorated": "@d\ndef f():\n    pass\n|class A:\n    u = 1\n|    async def m(self):\n"
    "        @w\n        def n(): ...\n",
    "decorated in lines": "@d(\n  1\n)\nclass A: ...\n|\tdef o(): ...\n",
    "continued": "a = \\\nb = 1\n|c = 2\n",
    "deep": "a\n         def f(): ...\n|        def g(): ...\n",
}
PARAGRAPHS = {
    "blank lines": "\n|a\n \t\r\n|b\r\nc\r\r|d\n\u2028\n|",
    "one line": "a b",
    "empty lines": "a\n\n\n\n|b\n",
}
LINES = {"empty lines": "a\r\n\r\n\n|b", "all line ends": "a\n|b\r\n|c\r|d\u2028e"}


@pytest.mark.parametrize(
    ("cut", "marked"),
    [
        (cut, marked)
        for cut, texts in (
            (cuts.before_blocks, BLOCKS),
            (cuts.before_statements, STATEMENTS),
            (cuts.before_paragraphs, PARAGRAPHS),
            (cuts.before_lines, LINES),
        )
        for marked in texts.values()
    ],
)
def test_cuts(cut: Callable[[str], Iterator[int]], marked: str) -> None:
    parts = marked.split("|")
    expected = [len("".join(parts[:number])) for number in range(1, len(parts))]
    assert list(cut("".join(parts))) == expected


def test_front_matter_is_looked_for_near_the_start_only() -> None:
    text = "---\n\na: " + "x" * cuts.WINDOW + "\n\nb\n---\n\nc\n"
    assert list(cuts.before_blocks(text)) == [5, text.index("b\n"), text.index("c\n")]


_MARKUP = (
    *(
        "\n",
        "\n\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        "    ",
        "w",
        "word ",
        "é",
        "# h",
        "#",
        "- x",
        "---",
    ),
    *("```", "````", "~~~", "<!--", "-->", "<Script>", "</script>", "<b>", "<?", "?>"),
)


@settings(max_examples=3_000, deadline=None)
@given(st.lists(st.sampled_from(_MARKUP), max_size=24).map("".join))
def test_plain_blocks_are_found_as_among_others(text: str) -> None:
    """The fast search for blocks finds what the one for everything finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "_MARKS", ("",))
        slow = list(cuts.before_blocks(text))
    assert list(cuts.before_blocks(text)) == slow

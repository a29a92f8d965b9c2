"""The user's text in a hover is shown, never interpreted."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from transformers_ls.lsp.markdown import code, escape, untrusted, visible

_RENDERER = MarkdownIt("commonmark")
_HARMLESS = {"p", "br", "pre", "code", "ul", "ol", "li", "hr", "h1", "h2"}
_NASTY = st.text(alphabet="ab `*_[](){}<>!|~\\#&;:/\n\t\u200b\u202e\ud800🙂", min_size=1)


@given(_NASTY)
def test_code_spans(text: str) -> None:
    shown = visible(text)
    rendered = _RENDERER.renderInline(f"token {code(shown)} · id 1")
    assert rendered == f"token <code>{html.escape(shown, quote=True)}</code> · id 1"


@given(_NASTY)
def test_escaped_text(text: str) -> None:
    rendered = _RENDERER.renderInline(f"x {escape(text)} x")
    assert "<" not in rendered.replace("<br />", "")


def test_what_cannot_be_seen() -> None:
    assert visible(" \n\t\u200b\u00a0\ud800a\u0301") == "·⏎⇥⟨U+200B⟩⟨U+00A0⟩⟨U+D800⟩a\u0301"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One\nTwo", "One  \nTwo  "),
        (
            "[a](command:b) ![c](http://d) <img>",
            r"\[a\]\(command:b\) \!\[c\]\(http://d\) \<img\>  ",
        ),
        ("    four blanks are no code", "four blanks are no code  "),
        ("See:\n```js\n[a](b)\n```\nSo.", "See:  \n\n```text\n[a](b)\n```\n\nSo.  "),
        ("```\nnever closed [a](b)", "```text\nnever closed [a](b)\n```"),
        ("````\n```\n````", "````text\n```\n````"),
        ("", ""),
    ],
)
def test_a_models_text_keeps_only_its_fences(text, shown):
    assert untrusted(text) == shown


@given(st.lists(_NASTY | st.sampled_from(["```", "~~~ x", "[a](b)", "<b>", "[r]: http://x"])))
def test_a_models_text_cannot_link_or_load(lines: list[str]) -> None:
    rendered = _RENDERER.render(untrusted("\n".join(lines)))
    assert set(re.findall(r"</?([a-z0-9]+)", rendered)) <= _HARMLESS

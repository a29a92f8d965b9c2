"""The user's text in a hover is shown, never interpreted."""

from __future__ import annotations

import html

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from transformers_ls.lsp.markdown import code, escape, visible

_RENDERER = MarkdownIt("commonmark")
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

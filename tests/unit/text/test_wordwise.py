"""Tokens find their place in YAML blocks, prompt files and notebooks."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from transformers_ls.text.alignment import align
from transformers_ls.text.regions import find_regions
from transformers_ls.text.snapshot import Snapshot
from transformers_ls.text.wordwise import places_of_words

YAML = """\
messages:
- role: system
  content: |2+

      Indented é 😀
    more  words

- role: user
  content: >-
    Folded
    words "in quotes"

    here
- content: plain words
    on two lines
  role: user
prompt: and some plain words that say what to do
"""


def check(language: str, text: str) -> int:
    """Hold every character that is no space to the one at its place; return how many there are."""
    snapshot = Snapshot.of(text)
    aligned = 0
    for region in find_regions(language, snapshot):
        alignment = align(snapshot, region, language)
        if alignment is None:
            continue
        body = region.text
        assert len(alignment.places) == len(body) + 1
        assert list(alignment.places) == sorted(alignment.places)
        assert region.start <= alignment.places[0] <= alignment.places[-1] <= region.end
        for index, character in enumerate(body):
            if not character.isspace() and text[alignment.to_source(index)] != "\\":
                assert text[alignment.to_source(index)] == character
                aligned += 1
    return aligned


def test_every_message_of_yaml() -> None:
    loaded = yaml.safe_load(YAML)
    texts = [*(message["content"] for message in loaded["messages"]), loaded["prompt"]]
    assert check("yaml", YAML) == sum(len("".join(text.split())) for text in texts)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("lines", [True, False])
def test_cells(indent: int | None, *, lines: bool) -> None:
    source = 'x = "é\\n😀"\n\nprint(x)\n'
    given_ = source.splitlines(keepends=True) if lines else source
    text = json.dumps({"cells": [{"cell_type": "code", "source": given_}]}, indent=indent)
    assert check("ipynb", text) > 10


def test_prompt_files() -> None:
    text = 'system:\nSay "hi" to\n  all.\n\nuser:\nBye.\n'
    assert check("prompty", text) == len('Say"hi"toall.Bye.')


@given(
    st.lists(st.text("ab\"' é", min_size=1), min_size=1, max_size=5),
    st.sampled_from(["|", ">", '"']),
)
def test_any_scalar_of_yaml(lines: list[str], style: str) -> None:
    value = "\n".join([*lines, "and a few more words"])
    check("yaml", yaml.dump({"a": value}, default_style=style, allow_unicode=True))


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=12))
def test_only_the_same_words_are_found(source: str, text: str) -> None:
    places = places_of_words(source, text, len(source))
    words = text.split()
    assert (places is not None) == bool(words and source.split()[-len(words) :] == words)
    if places is not None:
        assert len(places) == len(text) + 1
        assert places == sorted(places)

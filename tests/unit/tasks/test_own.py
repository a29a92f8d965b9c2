"""Tasks that users write as files."""

from __future__ import annotations

import pytest

from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.own import find_tasks

HAIKU = '''
title = "Rewrite as a haiku"
prompt = """
Rewrite {this} as a haiku: {{ text }}"""
system = "You are a poet."
placement = "replace"
unit = "paragraph"
'''
PROMPTY = """---
name: Name the mood
description: One word.
model:
  api: chat
placement: below
---
system:
You name moods.

user:
I won!

assistant:
joy

user:
{{selection}}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / ".transformers" / "tasks").mkdir(parents=True)
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    return tmp_path


def write(folder, name: str, text: str | bytes) -> None:
    path = folder / ".transformers" / "tasks" / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_toml_task_is_as_good_as_a_built_in_one(folder):
    write(folder, "haiku.toml", HAIKU)
    found = find_tasks(folder / "notes" / "deep" / "a.md")
    assert found.problems == ()
    assert list(found.tasks)[: len(BUILT_IN)] == list(BUILT_IN)
    task = found.tasks["haiku"]
    assert (task.title, task.placement, task.chat_unit) == (
        "Rewrite as a haiku",
        "replace",
        "paragraph",
    )
    assert task.chat_messages("A {text}.", "") == [
        {"role": "system", "content": "You are a poet."},
        {"role": "user", "content": "Rewrite {this} as a haiku: A {text}."},
    ]


def test_a_prompty_file_has_turns(folder):
    write(folder, "mood.prompty", PROMPTY)
    task = find_tasks(folder).tasks["mood"]
    assert (task.title, task.description) == ("Name the mood", "One word.")
    assert [(m["role"], m["content"]) for m in task.chat_messages("Oh no.", "")] == [
        ("system", "You name moods."),
        ("user", "I won!"),
        ("assistant", "joy"),
        ("user", "Oh no."),
    ]


def test_a_language_is_asked_for_where_the_prompt_names_one(folder):
    write(folder, "greet.toml", 'prompt = "Greet {{text}} in {{language}}."')
    task = find_tasks(folder).tasks["greet"]
    assert task.needs_language
    assert task.title == "Greet"
    assert task.chat_messages("Ann", "fr")[-1]["content"] == "Greet Ann in French."


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.toml", 'prompt = "no field"', r"write \{\{text\}\}"),
        ("a.toml", "prompt = ", "Invalid value"),
        ("a.toml", 'title = "x"', "no `prompt`"),
        ("a.toml", "prompt = 3", "no `prompt`"),
        ("a.toml", 'prompt = "{{text}}"\nplacement = "above"', "one of below, replace, after"),
        ("a.toml", 'prompt = "{{text}}"\nmodel = "best"', "`model` must be one of chat"),
        ("a.toml", 'prompt = "{{text}}"\ntitle = 3', "`title` must be a string"),
        ("a.toml", b"\xff\xfe", "not UTF-8"),
        ("a.toml", "#" * 300_000, "too large"),
        ("a.prompty", "---\n: [\n---\n{{text}}", "not YAML"),
        ("a.prompty", "user:\n{{text}}\nassistant:\nyes", "last turn"),
        ("a.prompty", "assistant:\nyes\nuser:\n{{text}}", "take turns"),
        ("summarize.toml", 'prompt = "{{text}}"', "`summarize` is taken"),
    ],
)
def test_a_broken_file_spoils_no_other(name, text, why, folder):
    import re

    write(folder, name, text)
    write(folder, "haiku.toml", HAIKU)
    found = find_tasks(folder)
    assert "haiku" in found.tasks
    (problem,) = found.problems
    assert problem.startswith(f"The task {name} cannot be used: ")
    assert re.search(why, problem)


def test_there_may_be_none(tmp_path):
    assert find_tasks(None).tasks == BUILT_IN
    assert find_tasks(tmp_path / "a.md").tasks.keys() == BUILT_IN.keys()

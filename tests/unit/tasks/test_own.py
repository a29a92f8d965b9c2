"""Tasks that users write as files."""

from __future__ import annotations

import pytest

from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.own import find_tasks
from transformers_ls.tasks.work import (
    Classification,
    Entities,
    FillMask,
    QuestionAnswering,
    Similarity,
    Writing,
    ZeroShot,
)

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


LABELS = """
kind = "zero-shot"
labels = ["bug", "praise"]
multiLabel = true
hypothesis = "This is {}."
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
    work = task.work
    assert isinstance(work, Writing)
    assert (task.title, work.placement, work.chat_unit) == (
        "Rewrite as a haiku",
        "replace",
        "paragraph",
    )
    assert work.chat_messages("A {text}.", "", "") == [
        {"role": "system", "content": "You are a poet."},
        {"role": "user", "content": "Rewrite {this} as a haiku: A {text}."},
    ]


def test_a_prompty_file_has_turns(folder):
    write(folder, "mood.prompty", PROMPTY)
    task = find_tasks(folder).tasks["mood"]
    assert (task.title, task.description) == ("Name the mood", "One word.")
    assert [(m["role"], m["content"]) for m in task.work.chat_messages("Oh no.", "", "")] == [
        ("system", "You name moods."),
        ("user", "I won!"),
        ("assistant", "joy"),
        ("user", "Oh no."),
    ]


def test_a_language_is_asked_for_where_the_prompt_names_one(folder):
    write(folder, "greet.toml", 'prompt = "Greet {{text}} in {{language}}."')
    task = find_tasks(folder).tasks["greet"]
    assert task.asks == ("language",)
    assert task.title == "Greet"
    assert task.work.chat_messages("Ann", "fr", "")[-1]["content"] == "Greet Ann in French."


@pytest.mark.parametrize(
    ("text", "work", "asks"),
    [
        (
            LABELS,
            ZeroShot(("bug", "praise"), multi_label=True, hypothesis="This is {}."),
            (),
        ),
        ('kind = "zero-shot"', ZeroShot(), ("labels",)),
        ('kind = "classification"', Classification(), ()),
        ('kind = "entities"', Entities(), ()),
        ('kind = "fill-mask"', FillMask(), ()),
        ('kind = "similarity"', Similarity(), ("otherRange",)),
        ('kind = "question-answering"', BUILT_IN["ask"].work, ("question",)),
        (
            'prompt = "{{question}} {{text}}"\nresult = "answer"',
            Writing(chat_prompt="{question} {text}"),
            ("question",),
        ),
        (
            'kind = "question-answering"\nprompt = "{{question}} {{text}}"',
            QuestionAnswering(Writing(chat_prompt="{question} {text}")),
            ("question",),
        ),
    ],
)
def test_a_task_may_answer_instead_of_edit(text, work, asks, folder):
    write(folder, "own.toml", text)
    found = find_tasks(folder)
    assert found.problems == ()
    task = found.tasks["own"]
    assert (task.work, task.asks, task.result) == (work, asks, "answer")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ('kind = "zero-shot"', "zero_shot"),
        ('kind = "zero-shot"\nmodel = "questionAnswering"', "question_answering"),
        ('prompt = "{{text}}"', "generation"),
    ],
)
def test_the_setting_of_the_model_follows_the_kind(text, setting, folder):
    write(folder, "own.toml", text)
    assert find_tasks(folder).tasks["own"].setting == setting


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
        ("a.toml", 'prompt = "{{text}}"\nresult = "none"', "`result` must be one of edit, answer"),
        ("a.toml", 'prompt = "{{text}}"\nplacement = "docstring"', "one of below, replace, after"),
        ("a.toml", 'kind = "magic"', "`kind` must be one of writing, classification"),
        ("a.toml", 'kind = "zero-shot"\nlabels = "a, b"', "`labels` must be a list"),
        ("a.toml", 'kind = "zero-shot"\nhypothesis = "So."', "must hold one {}"),
        ("a.toml", 'kind = "question-answering"\nprompt = "{{text}}"', "where the question goes"),
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

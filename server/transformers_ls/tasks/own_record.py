"""The task that a user's file describes: its values checked, and made the record that all tasks are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from transformers_ls.settings import ModelSettings, camel_case
from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.work import (
    Classification,
    Entities,
    FillMask,
    Placement,
    QuestionAnswering,
    Similarity,
    Unit,
    Work,
    Writing,
    ZeroShot,
)

__all__ = ["own_task"]

_TEXT = re.compile(r"\{\{\s*(?:text|selection)\s*\}\}")
_FIELD = re.compile(r"(\{\{\s*(?:text|selection|language|question)\s*\}\})")
_STRINGS = [
    "title",
    "description",
    "system",
    "placement",
    "result",
    "unit",
    "model",
    "kind",
    "hypothesis",
]
_PLACEMENTS = tuple(place for place in get_args(Placement) if place != "docstring")
_KINDS = {
    "writing": "generation",
    "classification": "classification",
    "zero-shot": "zero_shot",
    "entities": "entities",
    "question-answering": "question_answering",
    "fill-mask": "fill_mask",
    "similarity": "similarity",
}
"""Each kind of task, and the setting that names its model."""


def own_task(name: str, values: Mapping[str, Any], turns: list[tuple[str, Any]]) -> Task:
    """Return the task that a file describes; ValueError says what is wrong with it.

    Args:
        name: The file's name, which is the task's id.
        values: What it says, by the names that are documented in `own`.
        turns: The prompt, as roles and what they say.
    """
    for key in _STRINGS:
        if not isinstance(values.get(key) or "", str):
            raise ValueError(f"`{key}` must be a string.")  # noqa: TRY004 - the user's value.
    kind = _choice(values, "kind", tuple(_KINDS), "writing")
    work = _work(kind, values, turns)
    return Task(
        id=name,
        title=values.get("title") or name.replace("-", " ").capitalize(),
        description=values.get("description") or "A task of your own.",
        setting=_setting(values, _KINDS[kind]),
        work=work,
    )


def _work(kind: str, values: Mapping[str, Any], turns: list[tuple[str, Any]]) -> Work:
    labels = values.get("labels") or ()
    if not isinstance(labels, list | tuple) or not all(
        isinstance(label, str) and label.strip() for label in labels
    ):
        raise ValueError("`labels` must be a list of strings.")
    hypothesis = values.get("hypothesis") or ""
    if hypothesis and hypothesis.count("{}") != 1:
        raise ValueError("`hypothesis` must hold one {}, where a label goes.")
    match kind:
        case "classification":
            return Classification(tuple(labels), hypothesis)
        case "zero-shot":
            return ZeroShot(tuple(labels), values.get("multiLabel") is True, hypothesis)
        case "entities":
            return Entities()
        case "fill-mask":
            return FillMask()
        case "similarity":
            return Similarity()
        case "question-answering" if not turns[-1][1]:
            return BUILT_IN["ask"].work
        case "question-answering":
            writing = _writing(values, turns, None)
            if not writing.needs_question:
                raise ValueError("its prompt does not say where the question goes: {{question}}.")
            return QuestionAnswering(writing)
        case _:
            shown = _choice(values, "result", ("edit", "answer"), "edit") == "answer"
            place: Placement = _choice(values, "placement", _PLACEMENTS, "below")
            return _writing(values, turns, None if shown else place)


def _writing(
    values: Mapping[str, Any], turns: list[tuple[str, Any]], placement: Placement | None
) -> Writing:
    system = values.get("system") or ""
    if turns[0][0] == "system":
        system, turns = turns[0][1], turns[1:]
    roles = [role for role, _ in turns]
    if not turns or roles[-1] != "user" or not isinstance(turns[-1][1], str):
        raise ValueError("it has no `prompt`, or its last turn is not the user's.")
    if any(role != ("user", "assistant")[n % 2] for n, role in enumerate(roles)):
        raise ValueError("after the system's turn, user and assistant must take turns.")
    prompt = turns[-1][1]
    if not _TEXT.search(prompt):
        raise ValueError("its prompt does not say where the text goes: write {{text}}.")
    unit: Unit = _choice(values, "unit", get_args(Unit), "text")
    pairs = iter(turns[:-1])
    return Writing(
        placement=placement,
        chat_prompt=_template(prompt),
        system_prompt=system,
        examples=tuple(
            (question, answer) for (_, question), (_, answer) in zip(pairs, pairs, strict=True)
        ),
        chat_unit=unit,
        as_comment=placement == "below",
    )


def _setting(values: Mapping[str, Any], default: str) -> str:
    """Return the field of `ModelSettings`; files name it as the setting is spelled."""
    by_name = {camel_case(item.name): item.name for item in fields(ModelSettings)}
    return by_name[_choice(values, "model", tuple(by_name), camel_case(default))]


def _choice(values: Mapping[str, Any], key: str, known: tuple[Any, ...], default: str) -> Any:
    value = values.get(key) or default
    if value not in known:
        raise ValueError(f"`{key}` must be one of {', '.join(known)}.")
    return value


def _template(prompt: str) -> str:
    """Write a prompt as the built-in ones are written; all other braces are plain text."""
    return "".join(
        f"{{{_name(piece)}}}"
        if _FIELD.fullmatch(piece)
        else piece.replace("{", "{{").replace("}", "}}")
        for piece in _FIELD.split(prompt)
    )


def _name(field: str) -> str:
    name = field.strip("{} \t\r\n")
    return "text" if name == "selection" else name

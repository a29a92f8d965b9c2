r"""Tasks of the user's own: files in a folder `.transformers/tasks`, beside the text or above it.

`haiku.toml`, whose name is the task's id:

```toml
title = "Rewrite as a haiku"
prompt = "Rewrite the following text as a haiku.\n\n{{text}}"
system = "You are a poet."     # optional, as is all that follows
placement = "replace"          # or "below" (the default), or "after"
unit = "text"                  # or "paragraph", "sentence": how much one prompt holds
model = "generation"           # the setting transformers.models.<…> that names the model
description = "Three lines of 5, 7 and 5 syllables."
```

`haiku.prompty` says the same in YAML front matter, and the prompt as turns that begin with `system:`,
`user:` or `assistant:` on a line of its own; the turns before the last are examples.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from transformers_ls.settings import ModelSettings
from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.catalogue import Placement, Task, Unit

__all__ = ["OwnTasks", "find_tasks"]

FOLDER = Path(".transformers") / "tasks"

_LARGEST = 256 * 1024
_AT_MOST = 100
_TURN = re.compile(r"^(system|user|assistant):[ \t]*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"\{\{\s*(?:text|selection)\s*\}\}")
_LANGUAGE = re.compile(r"\{\{\s*language\s*\}\}")
_MODELS = tuple(item.name for item in fields(ModelSettings))


@dataclass(frozen=True, slots=True)
class OwnTasks:
    """All tasks there are for a place, the built-in ones first."""

    tasks: Mapping[str, Task]
    problems: tuple[str, ...] = ()
    """Which files could not be used, and why, for the user."""


def find_tasks(place: Path | None) -> OwnTasks:
    """Return the built-in tasks and those of the nearest folder `.transformers/tasks`.

    Reads files, so it is not for the event loop. A file that cannot be used spoils no other.

    Args:
        place: A file or folder; None when the text is in no file.
    """
    tasks = dict(BUILT_IN)
    problems: list[str] = []
    for path in _files(place):
        try:
            task = _read(path)
        except ValueError as error:
            problems.append(f"The task {path.name} cannot be used: {error}")
            continue
        if task.id in tasks:
            problems.append(f"The task {path.name} cannot be used: `{task.id}` is taken.")
        else:
            tasks[task.id] = task
    return OwnTasks(tasks, tuple(problems))


def _files(place: Path | None) -> list[Path]:
    if place is None:
        return []
    for folder in (place, *place.parents):
        tasks = folder / FOLDER
        if tasks.is_dir():
            found = [p for p in sorted(tasks.iterdir()) if p.suffix in {".toml", ".prompty"}]
            return found[:_AT_MOST]
    return []


def _read(path: Path) -> Task:
    """Read one file; ValueError says what is wrong with it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large for a prompt.")
        text = path.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"{error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text.") from None
    if path.suffix == ".toml":
        try:
            values: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{error}.") from None
        return _task(path.stem, values, [("user", values.get("prompt"))])
    front = _FRONT_MATTER.match(text)
    values = _front_matter(front[1]) if front else {}
    body = text[front.end() :] if front else text
    return _task(path.stem, {"title": values.get("name"), **values}, _turns(body))


def _front_matter(source: str) -> Any:
    import yaml

    try:
        values = yaml.safe_load(source)
    except yaml.YAMLError:
        raise ValueError("its front matter is not YAML.") from None
    if values is not None and not isinstance(values, dict):
        raise ValueError("its front matter is not a mapping.")
    # Prompty's own `model` is a table of another meaning.
    return {k: v for k, v in (values or {}).items() if k != "model" or isinstance(v, str)}


def _turns(body: str) -> list[tuple[str, Any]]:
    marks = list(_TURN.finditer(body))
    if not marks:
        return [("user", body.strip())]
    ends = [mark.start() for mark in marks[1:]] + [len(body)]
    return [
        (mark[1], body[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)
    ]


def _task(name: str, values: Mapping[str, Any], turns: list[tuple[str, Any]]) -> Task:
    for key in ("title", "description", "system", "placement", "unit", "model"):
        if not isinstance(values.get(key) or "", str):
            raise ValueError(f"`{key}` must be a string.")  # noqa: TRY004 - the user's value.
    system = values.get("system") or ""
    if turns[0][0] == "system":
        system, turns = turns[0][1], turns[1:]
    roles = [role for role, _ in turns]
    if not turns or roles[-1] != "user" or not isinstance(turns[-1][1], str):
        raise ValueError("it has no `prompt`, or its last turn is not the user's.")
    if any(role != ("user", "assistant")[n % 2] for n, role in enumerate(roles)):
        raise ValueError("after the system's turn, user and assistant must take turns.")
    prompt = turns[-1][1]
    if not _FIELD.search(prompt):
        raise ValueError("its prompt does not say where the text goes: write {{text}}.")
    unit: Unit = _choice(values, "unit", get_args(Unit), "text")
    placement: Placement = _choice(values, "placement", get_args(Placement), "below")
    pairs = iter(turns[:-1])
    return Task(
        id=name,
        title=values.get("title") or name.replace("-", " ").capitalize(),
        description=values.get("description") or "A task of your own.",
        placement=placement,
        setting=_choice(values, "model", _MODELS, "generation"),
        chat_prompt=_template(prompt),
        system_prompt=system,
        examples=tuple(
            (question, answer) for (_, question), (_, answer) in zip(pairs, pairs, strict=True)
        ),
        chat_unit=unit,
        needs_language=bool(_LANGUAGE.search(prompt)),
        as_comment=placement == "below",
    )


def _choice(values: Mapping[str, Any], key: str, known: tuple[Any, ...], default: str) -> Any:
    value = values.get(key) or default
    if value not in known:
        raise ValueError(f"`{key}` must be one of {', '.join(known)}.")
    return value


def _template(prompt: str) -> str:
    """Write a prompt as the built-in ones are written; all other braces are plain text."""
    pieces = re.split(r"(\{\{\s*(?:text|selection|language)\s*\}\})", prompt)
    return "".join(
        "{text}"
        if _FIELD.fullmatch(piece)
        else "{language}"
        if _LANGUAGE.fullmatch(piece)
        else piece.replace("{", "{{").replace("}", "}}")
        for piece in pieces
    )

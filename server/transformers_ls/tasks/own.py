r"""Tasks of the user's own: files in a folder `.transformers/tasks`, beside the text or above it.

`haiku.toml`, whose name is the task's id:

```toml
title = "Rewrite as a haiku"
prompt = "Rewrite the following text as a haiku.\n\n{{text}}"
system = "You are a poet."     # optional, as is all that follows
placement = "replace"          # or "below" (the default), or "after"
result = "edit"                # or "answer": shown beside the document, which stays as it is
unit = "text"                  # or "paragraph", "sentence": how much one prompt holds
model = "generation"           # the setting transformers.models.<…> that names the model
description = "Three lines of 5, 7 and 5 syllables."
```

`{{language}}` and `{{question}}` in a prompt are asked of the user. `haiku.prompty` says the same in
YAML front matter, and the prompt as turns that begin with `system:`, `user:` or `assistant:` on a line
of its own; the turns before the last are examples.

Tasks that write nothing need no prompt, but a `kind`: "classification", "zero-shot", "entities",
"question-answering", "fill-mask" or "similarity".

```toml
kind = "zero-shot"
labels = ["bug", "question", "praise"]
hypothesis = "This message is {}."   # optional: what is held to be true of the text
multiLabel = true                    # optional: several labels may be true
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.own_record import own_task

__all__ = ["OwnTasks", "find_tasks"]

FOLDER = Path(".transformers") / "tasks"

_LARGEST = 256 * 1024
_AT_MOST = 100
_TURN = re.compile(r"^(system|user|assistant):[ \t]*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)


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
        return own_task(path.stem, values, [("user", values.get("prompt"))])
    front = _FRONT_MATTER.match(text)
    values = _front_matter(front[1]) if front else {}
    body = text[front.end() :] if front else text
    return own_task(path.stem, {"title": values.get("name"), **values}, _turns(body))


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

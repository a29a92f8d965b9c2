"""`transformers-ls tasks`: the catalogue."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transformers_ls.errors import TransformersLsError
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.choose import choose_model, model_for
from transformers_ls.tasks.own import find_tasks

__all__ = ["add_arguments", "run"]

_OPTIONS = {
    "language": "--to LANG",
    "question": "--question TEXT",
    "labels": "--labels A,B",
    "otherRange": "a second text",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`tasks` takes no arguments."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print every task, the user's own for this folder too: what it does, asks for and needs."""
    del arguments
    found = find_tasks(Path.cwd())
    width = max(map(len, found.tasks))
    for task in found.tasks.values():
        print(f"{task.id:{width}}  {task.description}")
        if task.asks:
            print(f"{'':{width}}  asks for {', '.join(_OPTIONS[item] for item in task.asks)}")
        print(f"{'':{width}}  {_model(task)}")
    for problem in found.problems:
        print(problem, file=sys.stderr)
    return 1 if found.problems else 0


def _model(task: Task) -> str:
    """Say which model does it, or why none does."""
    models = Settings().models
    name = model_for(task, models) or "no model yet"
    try:
        choose_model(task, models)
    except TransformersLsError as error:
        return f"{name}: {error}"
    return f"{name}, which is here"

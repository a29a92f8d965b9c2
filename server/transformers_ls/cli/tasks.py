"""`transformers-ls tasks`: the catalogue."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from transformers_ls.tasks.own import find_tasks

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`tasks` takes no arguments."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print every task, the user's own for this folder too."""
    del arguments
    found = find_tasks(Path.cwd())
    for task in found.tasks.values():
        print(f"{task.id:12} {task.description}")
    for problem in found.problems:
        print(problem, file=sys.stderr)
    return 1 if found.problems else 0

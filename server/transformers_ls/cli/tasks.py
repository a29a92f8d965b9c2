"""`transformers-ls tasks`: the catalogue."""

from __future__ import annotations

import argparse

from transformers_ls.tasks.catalogue import BUILT_IN

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`tasks` takes no arguments."""
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Print every task."""
    del arguments
    for task in BUILT_IN.values():
        print(f"{task.id:12}{task.description}")
    return 0

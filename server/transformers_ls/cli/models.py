"""`transformers-ls models`: the embedded models, and what the Hub's cache holds."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.hub.catalogue import License
    from transformers_ls.hub.inventory import Listed

__all__ = ["add_arguments", "run"]

_IN_PERCENT = ("convert", "prepare")
"""Stages of an installation that have no bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `models`."""
    actions = parser.add_subparsers(dest="action", metavar="list | install | remove")
    listing = actions.add_parser("list", help="the models on this machine, and what they can do")
    listing.add_argument("--json", action="store_true", help="all that is known, as JSON")
    install = actions.add_parser("install", help="fetch a model and make it ready")
    install.add_argument("name", metavar="NAME")
    install.add_argument(
        "--accept-license", action="store_true", help="accept the model's terms without asking"
    )
    remove = actions.add_parser("remove", help="delete a model")
    remove.add_argument("name", metavar="NAME")


def run(arguments: argparse.Namespace) -> int:
    """List, install or remove."""
    if arguments.action == "install":
        return _install(arguments.name, accept=arguments.accept_license)
    if arguments.action == "remove":
        return _remove(arguments.name)
    return _list(as_json=getattr(arguments, "json", False))


def _list(*, as_json: bool) -> int:
    from transformers_ls.hub.inventory import list_models

    models = list_models()
    if as_json:
        json.dump({"models": [_as_json(model) for model in models]}, sys.stdout, indent=2)
        print()
        return 0
    _show(models)
    return 0


def _show(models: list[Listed]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", overflow="fold")
    for title in ("kind", "window", "size", "tasks"):
        table.add_column(title, justify="right" if title in ("window", "size") else "left")
    notes = []
    for model in models:
        facts = model.facts
        kind: str = facts.kind if facts else ""
        if model.base:
            kind = f"{kind} adapter".strip()
        table.add_row(
            model.name,
            f"{kind} ({facts.quantization})" if facts and facts.quantization else kind,
            f"{facts.window:,}" if facts and facts.window else "",
            f"{model.size / 1e6:,.0f} MB" if model.folder else "",
            _ability(model),
        )
        notes += [f"{model.name}: {problem}" for problem in model.problems]
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, highlight=False, markup=False)


def _ability(model: Listed) -> str:
    """Say what a model can do, in a few words."""
    from transformers_ls.tasks.choose import able

    if model.folder is None:
        return f"install it: {model.title}, {model.license}"
    if model.facts is None:
        return "none: its base is not here"
    tasks = able(model.facts, adapted=bool(model.base))
    if tasks:
        return ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
    if not model.facts.has_weights:
        return "none: no safetensors weights here" if model.facts.kind != "tokenizer" else "none"
    return "none"


def _as_json(model: Listed) -> dict[str, Any]:
    from transformers_ls.tasks.choose import able

    facts = model.facts
    return {
        "name": model.name,
        "title": model.title,
        "origin": model.origin,
        "folder": str(model.folder) if model.folder else None,
        "bytes": model.size,
        "license": model.license or None,
        "kind": facts.kind if facts else None,
        "architecture": facts.architecture or None if facts else None,
        "window": facts.window if facts else None,
        "quantization": facts.quantization or None if facts else None,
        "adapterOf": model.base or None,
        "tasks": able(facts, adapted=bool(model.base)) if facts else [],
        "problems": list(model.problems),
    }


def _remove(name: str) -> int:
    from transformers_ls.hub.embedded import remove

    print(f"{name} was removed." if remove(name) else f"{name} was not installed.")
    return 0


def _install(name: str, *, accept: bool) -> int:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    from transformers_ls.hub.embedded import install, installed_folder
    from transformers_ls.hub.preparation import prepare_for_cpu

    console = Console(stderr=True)
    folder = installed_folder(name)
    accepted = folder is not None or _ask(name, accept=accept)
    columns = (
        TextColumn("{task.description:10}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[size]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, int] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, size="")
            size = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if stage not in _IN_PERCENT else ""
            bar.update(tasks[stage], completed=done, total=total or None, size=size)  # type: ignore[arg-type]

        if folder is None:
            folder = install(name, progress=progress, accept_license=accepted, notice=console.print)
        prepare_for_cpu(folder, progress)
    console.print(f"{name} is installed.")
    return 0


def _ask(name: str, *, accept: bool) -> bool:
    """Show a model's license, and ask for consent where it is needed and was not given."""
    from transformers_ls.hub.catalogue import EMBEDDED

    model = EMBEDDED.get(name)
    if model is None:
        raise UsageError(
            f"There is no embedded model {name!r}.", f"There are: {', '.join(EMBEDDED)}."
        )
    print(f"{model.title}, license: {model.license.title} ({model.license.url})", file=sys.stderr)
    return accept or not model.license.must_accept or _consents(model.license)


def _consents(terms: License) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            f"The {terms.title} must be accepted first.",
            "Read them, then add --accept-license.",
        )
    answer = input(f"Do you accept the {terms.title}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise UsageError("The license was not accepted, so nothing was fetched.")
    return True

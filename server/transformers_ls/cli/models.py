"""`transformers-ls models`: the embedded models."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.hub.catalogue import License

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `models`."""
    actions = parser.add_subparsers(dest="action", metavar="list | install | remove")
    actions.add_parser("list", help="the embedded models, and which are here")
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
    return _list()


def _list() -> int:
    from rich.console import Console
    from rich.table import Table

    from transformers_ls.hub.embedded import list_embedded

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "model", "kind", "license", "here"):
        table.add_column(title)
    for item in list_embedded():
        model = item.model
        here = f"{item.size / 1e6:,.0f} MB, from {item.origin}" if item.folder else "no"
        table.add_row(model.name, model.title, model.kind, model.license.title, here)
    Console().print(table)
    return 0


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

    if installed_folder(name) is not None:
        print(f"{name} is installed.", file=sys.stderr)
        return 0
    console = Console(stderr=True)
    accepted = _ask(name, accept=accept)
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
            size = f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if stage != "convert" else ""
            bar.update(tasks[stage], completed=done, total=total or None, size=size)  # type: ignore[arg-type]

        install(name, progress=progress, accept_license=accepted, notice=console.print)
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

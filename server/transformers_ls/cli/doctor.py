"""`transformers-ls doctor`: what this machine has, and what is missing for which feature."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from transformers_ls import __version__

__all__ = ["add_arguments", "run"]

_PACKAGES = (
    "pygls",
    "lsprotocol",
    "jinja2",
    "tree-sitter",
    "tokenizers",
    "fastokens",
    "gigatoken",
    "transformers",
    "torch",
    "accelerate",
    "safetensors",
    "gguf",
    "sentencepiece",
    "huggingface_hub",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `doctor`."""
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Look, and say what was found."""
    report = asyncio.run(_report())
    if arguments.json:
        json.dump(report, sys.stdout, indent=2)
        print()
    else:
        _print(report)
    return 0 if report["worker"]["state"] == "works" else 1


async def _report() -> dict[str, Any]:
    from transformers_ls.hub.embedded import list_embedded
    from transformers_ls.paths import cache_dir, data_dir

    return {
        "transformersLs": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "worker": await _worker(),
        "models": {item.model.name: item.folder is not None for item in list_embedded()},
        "dataFolder": str(data_dir()),
        "cacheFolder": str(cache_dir()),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


async def _worker() -> dict[str, Any]:
    """Start a worker, since only that shows whether one can run."""
    from transformers_ls.chat.prompt import PromptRenderer
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.engines.local import LocalEngine
    from transformers_ls.errors import TransformersLsError

    sandbox = Sandbox()
    engine = LocalEngine(render_chat=PromptRenderer(sandbox))
    try:
        await engine.start()
        status = engine.status()
        return {"state": "works", "device": status.device, "dtype": status.dtype}
    except TransformersLsError as error:
        return {"state": "fails", "message": str(error)}
    finally:
        await engine.close()
        await sandbox.close()


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("transformers-ls", report["transformersLs"])
    table.add_row("Python", report["python"])
    table.add_row("system", report["system"])
    for name, found in report["packages"].items():
        table.add_row(name, found or "not installed")
    worker = report["worker"]
    works = worker["state"] == "works"
    table.add_row(
        "worker",
        f"works on {worker['device']} in {worker['dtype']}" if works else worker["message"],
    )
    for name, here in report["models"].items():
        hint = "installed" if here else f"not here: transformers-ls models install {name}"
        table.add_row(name, hint)
    table.add_row("data", report["dataFolder"])
    table.add_row("cache", report["cacheFolder"])
    Console().print(table)

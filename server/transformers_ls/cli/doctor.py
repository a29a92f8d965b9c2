"""`transformers-ls doctor`: what this machine has, what fits, and what is missing for which feature."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
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
    "peft",
    "onnxruntime",
    "onnxruntime-genai",
    "onnx-ir",
    "torchao",
    "bitsandbytes",
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
        from transformers_ls.cli._doctor_output import print_report

        print_report(report)
    return 0 if report["worker"]["state"] == "works" else 1


async def _report() -> dict[str, Any]:
    from transformers_ls.paths import cache_dir, data_dir

    models = _models()
    folders = [Path(model["folder"]) for model in models if model["folder"]]
    machine = await asyncio.to_thread(_machine, folders)
    return {
        "transformersLs": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "worker": await _worker(),
        "machine": machine,
        "fits": _fits(machine),
        "models": [_sized(model, machine) for model in models],
        "dataFolder": str(data_dir()),
        "cacheFolder": str(cache_dir()),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _models() -> list[dict[str, Any]]:
    """Return the embedded models, and those of the Hub's cache that have weights."""
    from transformers_ls.hub.cache import cached_models
    from transformers_ls.hub.embedded import list_embedded
    from transformers_ls.hub.facts import model_facts

    found: list[dict[str, Any]] = [
        {"name": item.model.name, "source": "embedded", "folder": item.folder and str(item.folder)}
        for item in list_embedded()
    ]
    found.extend(
        {"name": cached.name, "source": "cache", "folder": str(cached.folder)}
        for cached in cached_models()
        if model_facts(cached.folder).has_weights
    )
    return found


def _machine(folders: list[Path]) -> dict[str, Any]:
    from transformers_ls.engines.machine import look_at_machine
    from transformers_ls.errors import EngineUnavailableError

    try:
        return look_at_machine(folders)
    except EngineUnavailableError as error:
        return {"problem": str(error)}


def _fits(machine: dict[str, Any]) -> dict[str, float]:
    """Return how many parameters fit by precision, with a window of `engines.fit.WINDOW` tokens."""
    from transformers_ls.engines.fit import BITS, parameters_that_fit

    if (free := machine.get("free")) is None:
        return {}
    precisions = dict.fromkeys(("float32", machine["dtype"], "8 bits", "4 bits"))
    cache_bytes = 4 if machine["dtype"] == "float32" else 2
    return {
        name: parameters_that_fit(free, machine["share"], BITS[name], cache_bytes)
        for name in precisions
    }


def _sized(model: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
    """Add to a model what it takes on the machine, and whether it fits there now."""
    from transformers_ls.engines.fit import cache_bytes_per_token, fits
    from transformers_ls.hub.facts import model_facts

    weights = machine.get("weights", {}).get(model["folder"])
    if weights is None:
        return model
    folder = Path(model["folder"])
    cache = cache_bytes_per_token(folder, 4 if machine["dtype"] == "float32" else 2)
    sized = {**model, "weightBytes": weights, "cacheBytesPerToken": cache}
    if (free := machine["free"]) is not None:
        window = model_facts(folder).window
        sized["fits"] = fits(weights, cache, window, free, machine["share"])
    return sized


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

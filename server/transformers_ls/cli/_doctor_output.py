"""What `doctor` found, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["print_report"]


def print_report(report: dict[str, Any]) -> None:
    """Print a report for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _rows(report):
        table.add_row(name, value)
    Console().print(table)


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "transformers-ls", report["transformersLs"]
    yield "Python", report["python"]
    yield "system", report["system"]
    for name, found in report["packages"].items():
        yield name, found or "not installed"
    worker = report["worker"]
    works = worker["state"] == "works"
    yield (
        "worker",
        f"works on {worker['device']} in {worker['dtype']}" if works else worker["message"],
    )
    yield from _machine_rows(report["machine"])
    if report["fits"]:
        sizes = ", ".join(f"{_count(n)} in {name}" for name, n in report["fits"].items())
        yield "fits now", f"parameters, with a window of 8k: {sizes}"
    for model in report["models"]:
        yield model["name"], _model(model)
    yield "data", report["dataFolder"]
    yield "cache", report["cacheFolder"]


def _machine_rows(machine: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "problem" in machine:
        yield "machine", machine["problem"]
        return
    processor = machine["processor"]
    features = ", ".join(processor["features"]) or "no AVX2"
    yield "processor", f"{processor['name']}, {processor['cores']} cores ({features})"
    yield "memory", _memory(machine["memory"])
    for found in machine["accelerators"]:
        driver = f", driver {found['driver']}" if "driver" in found else ""
        yield found["device"], f"{found['name']}, {_memory(found)}{driver}"
    if machine["bandwidth"]:
        rate = machine["bandwidth"] / 1e9
        yield (
            "reads",
            f"{rate:.0f} GB/s from the memory of {machine['device']}, beside what runs now",
        )


def _memory(sizes: dict[str, Any]) -> str:
    if sizes["free"] is None or sizes["total"] is None:
        return "it does not say how much memory it has"
    return f"{_gibibytes(sizes['free'])} free of {_gibibytes(sizes['total'])}"


def _model(model: dict[str, Any]) -> str:
    if model["folder"] is None:
        return f"not here: transformers-ls models install {model['name']}"
    if "weightBytes" not in model:
        return "here"
    said = [f"takes {_gibibytes(model['weightBytes'])}"]
    if "fits" in model:
        said.append("fits" if model["fits"] else "does not fit now")
    return ", ".join(said)


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _count(parameters: float) -> str:
    if parameters < 1e6:
        return "none"
    unit, letter = (1e9, "B") if parameters >= 1e9 else (1e6, "M")
    return (
        f"{parameters / unit:.2g}{letter}"
        if parameters < 99.5 * unit
        else f"{parameters / unit:.0f}{letter}"
    )

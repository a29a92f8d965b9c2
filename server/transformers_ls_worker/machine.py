"""What this machine can compute with: `python -m transformers_ls_worker.machine [MODEL …]`.

Prints one JSON object on one line: the processor, its memory, each accelerator, what was chosen to run
models on, how fast its memory was read, and what the weights of the named models take there.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker.device import Placement, choose_placement
from transformers_ls_worker.memory import DeviceMemory, share
from transformers_ls_worker.weights import weights_bytes

__all__ = ["main"]

_OPTIONAL = ("peft", "onnxruntime_genai", "torchao", "bitsandbytes", "accelerate")
_FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_READ_BYTES = 256 * 2**20
"""More than any cache holds, and read in some milliseconds."""


def main(paths: list[str]) -> None:
    """Look at the machine and at some models; print what was found."""
    placement = choose_placement()
    memory = DeviceMemory(placement)
    found = {
        "processor": _processor(),
        "memory": _sizes(DeviceMemory(Placement(torch.device("cpu"), torch.float32))),
        "accelerators": _accelerators(),
        "device": str(placement.device),
        "dtype": placement.dtype_name,
        "share": share(placement),
        "free": memory.free(),
        "bandwidth": _bandwidth(placement, memory),
        "packages": [name for name in _OPTIONAL if find_spec(name) is not None],
        "weights": {path: weights_bytes(Path(path), placement.dtype.itemsize) for path in paths},
    }
    print(json.dumps(found))  # noqa: T201 - this is the program's output


def _processor() -> dict[str, Any]:
    import psutil

    features: dict[str, Any] = {}
    if hasattr(torch.cpu, "get_capabilities"):
        features = torch.cpu.get_capabilities()
    return {
        "name": _processor_name(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "threads": torch.get_num_threads(),
        "features": [name for name in _FEATURES if features.get(name)],
    }


def _processor_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin" and (name := _output("sysctl", "-n", "machdep.cpu.brand_string")):
        return name
    return platform.processor() or platform.machine()


def _accelerators() -> list[dict[str, Any]]:
    found = []
    for kind in ("cuda", "xpu"):
        module: Any = getattr(torch, kind)
        for index in range(module.device_count() if module.is_available() else 0):
            device = torch.device(kind, index)
            sizes = _sizes(DeviceMemory(Placement(device, torch.float32)))
            found.append({"device": str(device), "name": module.get_device_name(device), **sizes})
    if torch.backends.mps.is_available():
        sizes = _sizes(DeviceMemory(Placement(torch.device("mps"), torch.float32)))
        found.append({"device": "mps", "name": "Metal", **sizes})
    driver = _output("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    if torch.version.cuda and driver:
        for accelerator in found:
            accelerator["driver"] = f"{driver.splitlines()[0]} (CUDA {torch.version.cuda} in torch)"
    return found


def _sizes(memory: DeviceMemory) -> dict[str, int | None]:
    return {"total": memory.total(), "free": memory.free()}


def _bandwidth(placement: Placement, memory: DeviceMemory) -> float | None:
    """Return bytes per second that were read from the device's memory; None where it is too full.

    The best of five sums over a block: each byte is read once and almost nothing is written, as when
    a token is decoded.
    """
    if (free := memory.free()) is not None and free < 4 * _READ_BYTES:
        return None
    block = torch.ones(_READ_BYTES // 4, device=placement.device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        block.sum().item()
        best = min(best, time.perf_counter() - started)
    return _READ_BYTES / best


def _output(*command: str) -> str:
    """Return what a program printed; empty when it is not there or fails."""
    if (program := shutil.which(command[0])) is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])

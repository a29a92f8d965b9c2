"""The benchmark for GPUs, with tiny shapes on the CPU: it is ready when a device is."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the worker's packages are not installed")

SCRIPT = Path(__file__).resolve().parent.parent.parent / "bench" / "gpu.py"


def test_it_measures_all_it_says():
    command = [sys.executable, str(SCRIPT), "--cpu-smoke", "--tokens", "4", "--rounds", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    for shape in ("qwen3-0.6b", "llama-8b"):
        assert f"{shape}: memory allows" in ended.stdout
        assert f"{shape}: 8 pieces" in ended.stdout
    for way in ("plain generate", "worker, static and compiled", "continuous batching"):
        assert ended.stdout.count(way) == 2
    assert ended.stdout.count("the compute ends after an abort") == 2
    assert "from no worker to the first token" in ended.stdout

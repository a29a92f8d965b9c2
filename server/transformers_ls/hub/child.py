"""Run a program that takes a while, and look at what it has done so far."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finished", "folder_size", "run_watched"]

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child process ended."""

    returncode: int
    stdout: str
    stderr: str


def folder_size(folder: Path) -> int:
    """Return the bytes in all files below a folder, however fast they come and go meanwhile."""
    total = 0
    # os.walk steps over folders that vanish under it; Path.rglob raises.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = Path(parent, name).stat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def run_watched(
    argv: Sequence[str], env: Mapping[str, str], watch: Callable[[str], None]
) -> Finished:
    """Run a program to its end, calling `watch` with its output so far a few times a second.

    Its output goes to files rather than pipes, so that it can never block on us. An exception out
    of `watch` (a cancelled installation) ends the program and passes through.
    """
    with tempfile.TemporaryDirectory(prefix="transformers-ls-") as name:
        out, err = Path(name, "out"), Path(name, "err")
        with out.open("wb") as out_file, err.open("wb") as err_file:
            child = subprocess.Popen(
                argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file
            )
        try:
            while True:
                try:
                    child.wait(_POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    watch(_read(out))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
        return Finished(child.returncode, _read(out), _read(err))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")

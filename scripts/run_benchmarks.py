"""Runs the benchmarks one after the other, all of them, and says at the end which aims are met.

python scripts/run_benchmarks.py [NAME …]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from bench.aims import MET, MISSED  # noqa: E402 - bench/ is no package of an installation.


def benchmarks(names: list[str]) -> list[Path]:
    """Return the scripts of bench/ that do something when they are run, or those named."""
    found = {path.stem: path for path in sorted((REPOSITORY / "bench").glob("*.py"))}
    runnable = [name for name, path in found.items() if "__main__" in path.read_text("utf-8")]
    return [found[name] for name in names or runnable]


def run(path: Path) -> tuple[int, list[str]]:
    """Run one, showing what it prints; return its exit code and the lines about its aims."""
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if line.startswith((MET, MISSED)):
                said.append(line.rstrip())
    return process.returncode, said


def main(names: list[str]) -> int:
    """Run them; 1 when one failed or missed an aim."""
    lines, failed = [], False
    for path in benchmarks(names):
        print(f"==> {path.relative_to(REPOSITORY)}", flush=True)
        started = time.monotonic()
        code, aims = run(path)
        took = time.monotonic() - started
        failed = failed or code != 0
        outcome = "ok" if code == 0 else f"failed with code {code}"
        lines += [f"{path.name}: {outcome}, {took:.0f} s", *(f"  {aim}" for aim in aims)]
        print()
    print("\n".join(["==> in short", *lines]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Time from starting the server to its answer to `initialize`.

    python bench/initialize.py

Against a minimal pygls server, and against jedi-language-server where it is installed (`make bench`
installs it). Prints medians and the ratio to the first; rounds alternate, so that other load meets
all alike.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import aims
from bench.editor import MINIMAL_SERVER, OUR_SERVER, Editor

ROUNDS = 15
MINIMAL, OURS, JEDI = "minimal pygls", "transformers-ls", "jedi-language-server"


def seconds_to_initialize(command: list[str]) -> float:
    with Editor(command) as editor:
        assert "capabilities" in editor.initialize()
        return time.perf_counter() - editor.started


def main() -> int:
    servers = {MINIMAL: MINIMAL_SERVER, OURS: OUR_SERVER}
    if importlib.util.find_spec("jedi_language_server"):
        servers[JEDI] = [sys.executable, "-c", "from jedi_language_server.cli import cli; cli()"]
    times: dict[str, list[float]] = {name: [] for name in servers}
    for command in servers.values():
        seconds_to_initialize(command)  # Byte code and page cache.
    for _ in range(ROUNDS):
        for name, command in servers.items():
            times[name].append(seconds_to_initialize(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(
            f"{name:22} {1e3 * medians[name]:7.0f} ms "
            f"[{1e3 * min(values):.0f}..{1e3 * max(values):.0f}]"
            f"  {medians[name] / medians[MINIMAL]:5.2f} × {MINIMAL}"
        )
    met = aims.at_most(f"initialize against {MINIMAL}", medians[OURS] / medians[MINIMAL], 1.2)
    if JEDI in medians:
        met &= aims.at_most(f"initialize against {JEDI}", medians[OURS] / medians[JEDI], 1.0)
    else:
        print(f"{JEDI} is not installed: `make bench` does it")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())

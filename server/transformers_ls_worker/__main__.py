"""Start the worker: `python -m transformers_ls_worker [--device NAME] [--dtype NAME]`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from transformers_ls_worker import stdio, wire
from transformers_ls_worker.loop import Inbox, Outbox

__all__ = ["main"]


def main() -> None:
    """Serve runs until the front says goodbye or is gone."""
    parser = argparse.ArgumentParser(prog="transformers_ls_worker", allow_abbrev=False)
    parser.add_argument("--device", help="torch's name of the device; the best one by default")
    parser.add_argument("--dtype", help="what weights are loaded as; by the device by default")
    parser.add_argument(
        "--prepared", type=Path, help="where models prepared for ONNX Runtime are; none without it"
    )
    options = parser.parse_args()

    # Threads that wait by spinning keep the cores from whoever else needs them, the editor first,
    # and from each other: on two busy cores decoding fell to a tenth. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    stdio.die_with_parent()
    # Ctrl-C in a terminal goes to the whole process group; the front decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire_in, wire_out = stdio.claim()
    outbox = Outbox(wire_out)
    inbox = Inbox(wire_in, outbox)
    code = _serve(inbox, outbox, options)
    outbox.close()
    os._exit(code)  # Tearing torch down takes seconds and gives nothing.


def _serve(inbox: Inbox, outbox: Outbox, options: argparse.Namespace) -> int:
    missing = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
    if missing:
        failed = f"{sys.executable} has no {' and no '.join(missing)}."
        outbox.send(wire.Failed("", "packages-missing", failed))
        return 3
    from transformers_ls_worker.device import choose_placement, keep_state
    from transformers_ls_worker.memory import DeviceMemory

    placement = choose_placement(options.device, options.dtype)
    if not inbox.wait_for_hello():
        return 0
    outbox.send(
        wire.Ready(
            wire_version=wire.WIRE_VERSION,
            python=platform.python_version(),
            torch=version("torch"),
            transformers=version("transformers"),
            device=str(placement.device),
            dtype=placement.dtype_name,
            pid=os.getpid(),
            memory_bytes=DeviceMemory(placement).total(),
        )
    )
    # The rest of the imports is done while the front prepares its first request.
    from transformers_ls_worker.dispatch import Dispatcher

    inbox.work(Dispatcher(placement, options.prepared), partial(keep_state, placement))
    return 0


if __name__ == "__main__":
    main()

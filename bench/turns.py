"""What it costs that runs share the device by turns, and what a short run gains.

`python bench/turns.py [--rounds 2]` does runs of SmolLM2-135M in this process, as the worker does:

- four answers of 48 tokens by turns of several lengths, against one after the other: what changing
  between them costs, in processor time, which other load on the machine changes least;
- an answer of 8 tokens that comes in the middle of one of 160: when it is over, by turns and behind
  it, against when nobody else computes.

Rounds are interleaved, so that other load on the machine meets all alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
# As the worker does, and before torch is imported: see transformers_ls_worker/__main__.py.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from bench.aims import at_most
from transformers_ls.hub.resolve import resolve
from transformers_ls_worker import turns, wire
from transformers_ls_worker.device import choose_placement, keep_state
from transformers_ls_worker.generation import generate
from transformers_ls_worker.models import Models
from transformers_ls_worker.turns import Baton, RunTurn

MODEL = "smollm2-135m"
PROMPT = "The history of the lighthouse begins long before electricity. "
ALONE = float("inf")
QUANTA = (0.02, 0.05, 0.1, 0.25, 0.5)


class Bench:
    def __init__(self) -> None:
        self.placement = choose_placement()
        self.models = Models(self.placement)
        self.folder = str(resolve(MODEL).folder)

    def start(self, baton: Baton, tokens: int, begun: threading.Event | None = None):
        """Start a run in a thread; its end is the attribute `seconds` of the thread."""

        def send(frame: wire.FromWorker) -> None:
            if begun is not None and isinstance(frame, wire.Delta) and frame.tokens > 8:
                begun.set()

        def work() -> None:
            turn = RunTurn(baton)
            with baton.hold(turn):
                request = wire.Generate("r", self.folder, PROMPT, max_new_tokens=tokens)
                generate(request, self.models, self.placement, send, turn)
                self.models.release(turn)
            thread.seconds = time.perf_counter() - started

        thread = threading.Thread(target=work)
        started = time.perf_counter()
        thread.start()
        return thread

    def four(self, quantum: float) -> float:
        """Return the seconds of all cores that four equal runs take together."""
        baton = Baton(partial(keep_state, self.placement), quantum=quantum)
        started = time.process_time()
        for thread in [self.start(baton, 48) for _ in range(4)]:
            thread.join()
        return time.process_time() - started

    def short(self, quantum: float | None) -> float:
        """Return the seconds that a short run takes beside a long one; None for without one."""
        baton = Baton(partial(keep_state, self.placement), quantum=quantum or ALONE)
        begun, others = threading.Event(), []
        if quantum is not None:
            others.append(self.start(baton, 160, begun))
            begun.wait()
        thread = self.start(baton, 8)
        for other in [thread, *others]:
            other.join()
        return thread.seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    bench = Bench()
    bench.four(ALONE)
    four: dict[float, list[float]] = {quantum: [] for quantum in (ALONE, *QUANTA)}
    chosen = turns._QUANTUM
    short: dict[float | None, list[float]] = {quantum: [] for quantum in (None, chosen, ALONE)}
    for _ in range(rounds):
        for quantum, seconds in four.items():
            seconds.append(bench.four(quantum))
        for beside, seconds in short.items():
            seconds.append(bench.short(beside))
    alone = statistics.median(four[ALONE])
    print(f"four runs, one after the other      {alone:6.2f} s")
    for quantum in QUANTA:
        seconds = statistics.median(four[quantum])
        print(
            f"four runs, turns of {quantum:4.2f} s          {seconds:6.2f} s  {seconds / alone:5.2f} ×"
        )
    nobody, by_turns, behind = (statistics.median(seconds) for seconds in short.values())
    print(f"a short run, nobody else            {nobody:6.2f} s")
    print(f"a short run beside a long one       {by_turns:6.2f} s  {by_turns / nobody:5.2f} ×")
    print(f"a short run behind a long one       {behind:6.2f} s  {behind / nobody:5.2f} ×")
    cost = statistics.median(four[chosen]) / alone
    met = at_most(f"cost of turns of {chosen:g} s", cost, 1.1)
    return 0 if at_most("a short run beside a long one", by_turns / nobody, 3.5) and met else 1


if __name__ == "__main__":
    sys.exit(main())

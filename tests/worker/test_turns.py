"""Runs take turns: in order, one at a time, and none changes what another one computes."""

import itertools
import threading
from functools import partial

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import Placement, keep_state  # noqa: E402
from transformers_ls_worker.failures import RunAborted, RunError  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402
from transformers_ls_worker.turns import Baton, RunTurn  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)


class Track:
    """Runs in threads over one baton, whose clock is moved by their steps."""

    def __init__(self, quantum=1.0):
        self.now = 0.0
        self.state = None
        self.steps = []
        self.baton = Baton(self.keep, quantum=quantum, clock=lambda: self.now)
        self.turns = {}
        self.ended = {}
        self._threads = []
        self._gate = threading.Event()

    def keep(self):
        state = self.state
        return lambda: setattr(self, "state", state)

    def start(self, name, steps, seconds=1.0, on_step=None):
        """Start a run of some steps, and wait until it is in the queue."""
        turn = self.turns[name] = RunTurn(self.baton)

        def work():
            try:
                with self.baton.hold(turn):
                    self.state = name
                    for step in range(steps):
                        assert self.state == name
                        self.steps.append(name)
                        if on_step is not None:
                            on_step(step)
                        self.now += seconds
                        turn.give_way()
                        if turn.aborted():
                            raise RunAborted
                self.ended[name] = "done"
            except RunAborted:
                self.ended[name] = "aborted"
            except AssertionError:
                self.ended[name] = "wrong state"

        waiting = len(self.baton._new)
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()
        while len(self.baton._new) == waiting and self.baton._holder is not turn:
            if not thread.is_alive():
                break
            threading.Event().wait(0.001)

    def held(self):
        """Hold the baton, so that runs queue up; `open` lets them go."""

        def hold():
            with self.baton.hold(turn):
                ready.set()
                self._gate.wait()

        turn, ready = RunTurn(self.baton), threading.Event()
        thread = threading.Thread(target=hold, daemon=True)
        self._threads.append(thread)
        thread.start()
        ready.wait()

    def open(self):
        self._gate.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()


def test_runs_take_turns_and_a_new_one_does_not_wait_for_all():
    track = Track()
    track.held()
    for name in "abc":
        track.start(name, 3)
    track.open()
    # b comes before a's second turn, and then a before c's first.
    assert "".join(track.steps) == "abacbacbc"
    assert set(track.ended.values()) == {"done"}


def test_a_turn_lasts_its_time():
    track = Track(quantum=3.0)
    track.held()
    track.start("a", 7)
    track.start("b", 4)
    track.open()
    assert "".join(track.steps) == "aaabbbaaaba"


def test_who_is_alone_never_pauses():
    track = Track(quantum=0.0)
    track.start("a", 1000)
    track.open()
    assert track.ended == {"a": "done"}
    assert not track.baton._paused


def test_a_crowd_of_short_runs_starves_no_long_one():
    track = Track()
    track.held()

    def another(step):
        if step < 20:
            track.start(f"short-{step}", 1)

    track.start("long", 40, on_step=another)
    track.open()
    assert all(ending == "done" for ending in track.ended.values())
    assert len(track.ended) == 21
    ends = [index for index, name in enumerate(track.steps) if name.startswith("short")]
    assert max(ends) < 42


def test_an_abort_before_the_first_turn_needs_none():
    track = Track()
    track.held()
    track.start("a", 3)
    track.turns["a"].abort()
    track._threads[1].join(timeout=60)
    assert track.ended == {"a": "aborted"}
    track.open()
    assert track.steps == []


def test_an_aborted_run_that_pauses_is_the_next_to_end():
    """Although the time of the one that computes is not over, and another waits for longer."""
    track = Track(quantum=3.0)
    track.held()
    track.start("a", 9)
    track.start("b", 9, on_step=lambda step: step == 1 and track.turns["a"].abort())
    track.start("c", 9)
    track.open()
    assert track.ended == {"a": "aborted", "b": "done", "c": "done"}
    # In b's second step a is aborted: it has the next turn, to end, and b a new one. Else c's three
    # steps would come after b's third.
    assert "".join(track.steps[:11]) == "aaabbbbbccc"


def test_a_run_that_fails_passes_the_baton_on():
    track = Track()
    track.held()

    def fail(_step):
        raise AssertionError

    track.start("a", 3, on_step=fail)
    track.start("b", 2)
    track.open()
    assert track.ended == {"a": "wrong state", "b": "done"}


def test_a_run_that_needs_all_memory_waits_for_those_that_hold_some():
    """A new run waits too, and one that waits for its model holds none and need not end."""
    track = Track()
    log = []

    def alone(step):
        if step == 1:
            log.append(track.turns["a"].has_company())
            track.turns["a"].wait_alone()
            log.append((sorted(track.ended), track.turns["a"].has_company()))

    def wait_for_a(_step):
        while "a" not in track.ended:
            track.turns["w"].give_way(at_once=True)

    track.held()
    track.start("w", 1, on_step=wait_for_a)
    track.start("a", 4, on_step=alone)
    track.start("b", 5)
    track.start("n", 2)
    track.open()
    assert set(track.ended.values()) == {"done"}
    assert log == [True, (["b"], False)]
    assert "".join(track.steps) == "wababbbbaann"


def test_runs_that_need_all_memory_have_it_one_after_the_other():
    track = Track()

    def alone(name):
        return lambda step: step == 1 and track.turns[name].wait_alone()

    track.held()
    for name in "ab":
        track.start(name, 4, on_step=alone(name))
    track.start("c", 3)
    track.open()
    assert set(track.ended.values()) == {"done"}
    assert "".join(track.steps) == "ababaabbccc"


def test_a_run_that_waits_to_be_alone_can_be_aborted():
    track = Track()
    track.held()
    track.start("a", 9, on_step=lambda step: step == 1 and track.turns["a"].wait_alone())
    track.start("b", 6, on_step=lambda step: step == 3 and track.turns["a"].abort())
    track.open()
    assert track.ended == {"a": "aborted", "b": "done"}
    assert "".join(track.steps) == "ababbbbb"


class Runs:
    """Real runs in threads, that pass the baton on at each layer."""

    def __init__(self, models=None):
        self.models = models or Models(CPU)
        self.baton = Baton(partial(keep_state, CPU), quantum=0.0)
        self.texts = {}
        self.done = {}
        self.order = []
        self.errors = {}

    def all(self, requests, on_frame=lambda *_: None):
        turns = {request.run_id: RunTurn(self.baton) for request in requests}
        gate = RunTurn(self.baton)
        with self.baton.hold(gate):
            threads = [
                threading.Thread(target=self._one, args=(request, turns, on_frame), daemon=True)
                for request in requests
            ]
            for thread in threads:
                thread.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        return self.texts

    def _one(self, request, turns, on_frame):
        name = threading.current_thread().name = request.run_id
        self.texts[name] = ""

        def send(frame):
            self.order.append(name)
            if isinstance(frame, wire.Delta):
                self.texts[name] += frame.text
            on_frame(frame, turns)

        turn = turns[name]
        try:
            with self.baton.hold(turn):
                try:
                    self.done[name] = generate(request, self.models, CPU, send, turn)
                finally:
                    self.models.release(turn)
        except (RunAborted, RunError) as error:
            self.errors[name] = error


def requests_of(folders, count, **options):
    return [
        wire.Generate(
            f"r{index}",
            str(folders[index % len(folders)]),
            "The quick brown fox"[: 3 + 5 * (index % 3)],
            max_new_tokens=24,
            **options,
        )
        for index in range(count)
    ]


def alone(requests):
    runs = Runs()
    for request in requests:
        runs.all([request])
    return runs.texts


@pytest.mark.parametrize("temperature", [None, 1.3])
def test_interleaved_runs_answer_as_they_do_alone(llama, gpt2, temperature):
    requests = requests_of([llama, gpt2, llama], 6, temperature=temperature, seed=77)
    runs = Runs()
    texts = runs.all(requests)
    assert texts == alone(requests)
    changes = sum(a != b for a, b in itertools.pairwise(runs.order))
    assert changes > 30
    assert {done.seed for done in runs.done.values()} == {77 if temperature else None}


def test_a_model_that_several_runs_ask_for_is_loaded_once(llama, gpt2):
    runs = Runs()
    runs.all(requests_of([llama, gpt2], 4))
    loads = [done.load_seconds for done in runs.done.values()]
    assert sum(seconds > 0 for seconds in loads) == 2
    assert len(runs.done) == 4


def test_a_run_aborts_in_any_state_and_hurts_no_other(llama):
    """While it loads, while others load, between two tokens; the others answer as ever."""
    requests = requests_of([llama], 4)
    expected = alone(requests)

    def abort(frame, turns):
        if isinstance(frame, wire.Stage) and frame.name == "loading":
            turns["r1"].abort()  # It waits.
            turns[frame.run_id].abort()  # It loads.
        if isinstance(frame, wire.Delta) and frame.run_id == "r3" and frame.tokens > 3:
            turns["r3"].abort()

    runs = Runs()
    texts = runs.all(requests[:2], abort)
    assert texts == {"r0": "", "r1": ""}
    assert not runs.models._entries
    runs.models = alone_models = Models(CPU)
    alone_runs = Runs(alone_models)
    alone_runs.all(requests[:1])
    texts = alone_runs.all(requests, abort)
    assert alone_runs.done["r3"].finish_reason == "abort"
    assert expected["r3"].startswith(texts["r3"])
    assert len(texts["r3"]) < len(expected["r3"])
    assert {name: texts[name] for name in ("r0", "r1", "r2")} == {
        name: expected[name] for name in ("r0", "r1", "r2")
    }


def test_a_run_that_fails_hurts_no_other(llama, pickled, tmp_path):
    requests = requests_of([llama, pickled, tmp_path], 6)
    runs = Runs()
    texts = runs.all(requests)
    assert set(runs.errors) == {"r1", "r2", "r4", "r5"}
    assert {name: texts[name] for name in ("r0", "r3")} == {
        name: alone([requests[0], requests[3]])[name] for name in ("r0", "r3")
    }


def test_a_run_without_memory_is_tried_again_when_the_others_have_ended(llama, monkeypatch):
    requests = requests_of([llama], 2)
    expected = alone(requests)
    runs = Runs()
    runs.all(requests[:1])
    forward = type(next(iter(runs.models._entries.values())).loaded.model).forward
    crowded = []

    def forward_if_alone(model, *arguments, **options):
        """Runs out of memory for the second run as long as the first one goes on."""
        if (
            "r0" not in runs.done
            and threading.current_thread().name == "r1"
            and runs.order.count("r0") > 3
        ):
            crowded.append(runs.order[-1])
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(model, *arguments, **options)

    runs.done.clear()
    runs.order.clear()
    monkeypatch.setattr(
        type(next(iter(runs.models._entries.values())).loaded.model), "forward", forward_if_alone
    )
    assert runs.all(requests) == expected
    assert len(crowded) == 1
    assert not runs.errors

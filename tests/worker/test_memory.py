"""Models stay while there is room, leave for others, and are refused with figures."""

import itertools
import json
import threading
from functools import partial
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_models import random_llama  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import models as models_module  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import Placement, keep_state  # noqa: E402
from transformers_ls_worker.dispatch import Dispatcher  # noqa: E402
from transformers_ls_worker.failures import RunAborted, RunError  # noqa: E402
from transformers_ls_worker.memory import (  # noqa: E402
    DeviceMemory,
    gibibytes,
    parameters_that_fit,
    shortage,
)
from transformers_ls_worker.models import Models  # noqa: E402
from transformers_ls_worker.turns import Baton, RunTurn  # noqa: E402
from transformers_ls_worker.weights import weights_bytes  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)


class SmallMemory(DeviceMemory):
    """A device on which models may take as many bytes as a test says."""

    def __init__(self, room, all_room=None):
        super().__init__(CPU)
        self.size = room * 4 // 3 + 4  # The share of a CPU is three quarters.
        self.all_size = all_room and all_room * 4 // 3 + 4
        self.models = None

    def free(self):
        return self.size - self.models._held()

    def free_of_all(self):
        return self.all_size and self.all_size - self.models._held()


def small(*folders, all_room=None):
    """Return models that have room for those in some folders."""
    memory = SmallMemory(sum(weights_bytes(folder, 4) for folder in folders), all_room)
    memory.models = Models(CPU, memory)
    return memory.models


def get(models, folder, turn=None):
    """Use a model for a moment; return the seconds that it took to load."""
    turn = turn or AloneTurn()
    try:
        return models.get(folder, lambda *_: None, turn)[1]
    finally:
        models.release(turn)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return random_llama(tmp_path_factory.mktemp("wide"), layers=6)


def test_the_least_recently_used_model_leaves(llama, gpt2, reciter):
    models = small(llama, gpt2, reciter)
    models._memory.size -= 100
    assert get(models, llama) > 0
    assert get(models, gpt2) > 0
    assert get(models, llama) == 0
    assert get(models, reciter) > 0
    assert get(models, llama) == 0
    assert get(models, gpt2) > 0


def test_what_has_room_stays(llama, gpt2, reciter):
    models = small(llama, gpt2, reciter)
    for folder in (llama, gpt2, reciter):
        assert get(models, folder) > 0
    for folder in (llama, gpt2, reciter):
        assert get(models, folder) == 0


def test_a_model_in_use_stays_and_the_next_waits_for_its_run(llama, wide):
    """The one that waits goes on when the run has ended; a third cannot slip in between."""
    models = small(wide)
    baton = Baton(partial(keep_state, CPU), quantum=0.0)
    events, failures = [], []
    threads = []

    def run(name, folder, steps):
        def work():
            turn = RunTurn(baton)
            try:
                with baton.hold(turn):
                    loaded, _ = models.get(folder, lambda *_: None, turn)
                    events.append(f"{name} begins")
                    for _ in range(steps):
                        turn.give_way()
                        assert loaded in [entry.loaded for entry in models._entries.values()]
                    events.append(f"{name} ends")
                    models.release(turn)
            except BaseException as error:
                failures.append(error)
                raise

        thread = threading.Thread(target=work, daemon=True)
        threads.append(thread)
        thread.start()
        while len(baton._new) < len(threads):
            threading.Event().wait(0.001)

    gate = RunTurn(baton)
    with baton.hold(gate):
        run("first", llama, 50)
        run("second", wide, 1)
        run("third", llama, 1)
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert not failures
    assert events.index("first ends") < events.index("second begins")
    assert sorted(events) == sorted(
        f"{name} {what}" for name in ("first", "second", "third") for what in ("begins", "ends")
    )


def test_what_can_never_fit_is_refused_with_figures_and_nobody_leaves(llama, wide):
    models = small(llama)
    assert get(models, llama) > 0
    with pytest.raises(RunError) as raised:
        get(models, wide)
    error = raised.value
    assert error.code == "out-of-memory"
    assert gibibytes(weights_bytes(wide, 4)) in error.message
    assert f"{wide.name} takes" in error.message
    assert "float32" in error.message
    assert "parameters would fit" in error.hint
    assert get(models, llama) == 0


@pytest.mark.parametrize("times", [1, 2])
def test_out_of_memory_while_loading(times, llama, gpt2, monkeypatch):
    """The others leave and it is tried once more; then the figures are told."""
    models = small(llama, gpt2)
    assert get(models, llama) > 0
    calls = []

    def load(*arguments, **options):
        calls.append(arguments)
        if len(calls) <= times:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return original(*arguments, **options)

    original = models_module.load
    monkeypatch.setattr(models_module, "load", load)
    if times == 1:
        assert get(models, gpt2) > 0
        assert [name[0] for name in models._entries] == [gpt2]
    else:
        with pytest.raises(RunError, match=r"takes 0\.0 GiB in float32") as raised:
            get(models, gpt2)
        assert raised.value.code == "out-of-memory"
        assert not models._entries
    assert len(calls) == 2


@pytest.mark.parametrize("places", [[0, 1], [0, "cpu"]])
def test_a_model_is_spread_only_when_one_device_is_too_small(places, llama, wide, monkeypatch):
    asked = []

    def load(path, placement, adapter=None, *, spread=False):
        asked.append((path, spread))
        loaded = original(path, placement, adapter)
        loaded.model.hf_device_map = dict(zip(("model.layers", "lm_head"), places, strict=True))
        return loaded

    original = models_module.load
    monkeypatch.setattr(models_module, "load", load)
    models = small(llama, all_room=2 * weights_bytes(wide, 4))
    get(models, llama)
    if "cpu" in places:
        with pytest.raises(RunError, match="takes"):
            get(models, wide)
        assert not models._entries
    else:
        get(models, wide)
        assert [name[0] for name in models._entries] == [wide]
    assert asked == [(llama, False), (wide, True)]
    tight = small(llama, all_room=weights_bytes(wide, 4) - 100)
    with pytest.raises(RunError, match="takes"):
        get(tight, wide)
    assert len(asked) == 2


def test_a_run_that_waits_for_room_can_be_aborted(llama, wide):
    models = small(wide)
    models.get(llama, lambda *_: None, AloneTurn())  # Never released.
    asked = []

    def aborted():
        asked.append(len(asked))
        return len(asked) > 3

    with pytest.raises(RunAborted):
        get(models, wide, AloneTurn(aborted))
    assert get(models, llama) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["llama", "gpt2", "reciter"])
def test_the_weights_are_counted_before_they_are_loaded(name, dtype, request):
    from transformers import AutoModelForCausalLM

    folder = request.getfixturevalue(name)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    assert weights_bytes(folder, dtype.itemsize) == sum(p.nbytes for p in model.parameters())


def test_shards_count_and_copies_do_not(llama, tmp_path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama, dtype=torch.float32)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    (tmp_path / "consolidated.safetensors").write_bytes((llama / "model.safetensors").read_bytes())
    assert weights_bytes(tmp_path, 2) * 2 == weights_bytes(llama, 4)


def test_damaged_and_quantized_weights_count_as_they_are_on_the_disk(llama, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"\xff" * 1000)
    assert weights_bytes(tmp_path, 2) == 1000
    file.write_bytes((llama / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {}}))
    assert weights_bytes(tmp_path, 2) == weights_bytes(llama, 4)
    assert weights_bytes(tmp_path / "nothing", 2) == 0


def test_what_would_fit_is_rounded_down():
    half = Placement(torch.device("cpu"), torch.bfloat16)
    assert parameters_that_fit(8_190_000_000, half) == "4B"
    assert parameters_that_fit(15_900_000_000, half) == "7.9B"
    assert parameters_that_fit(271_000_000, CPU) == "67M"
    assert parameters_that_fit(1000, CPU) == "none"


def test_this_machine():
    memory = DeviceMemory(CPU)
    assert 0 < memory.free() <= memory.total()
    before = memory.peak()
    assert before > 50 * 2**20
    block = torch.ones(before // 2 + 64 * 2**20)  # Four bytes each: twice the peak.
    assert memory.peak() > before
    del block
    memory.give_back()
    assert memory.free_of_all() is None


def test_the_progress_is_of_bytes(wide, monkeypatch):
    """Each weight counts for what it takes: the first two are those of all tokens, the largest."""
    from transformers_ls_worker import progress as progress_module
    from transformers_ls_worker.weights import tensor_bytes

    monkeypatch.setattr(progress_module, "_TELL_SECONDS", 0)
    told = []
    models = Models(CPU)
    models.get(wide, lambda *sizes: told.append(sizes), AloneTurn())
    sizes = tensor_bytes(wide, 4)
    total = sum(sizes.values())
    assert {of for _, of in told} == {total}
    done = [so_far for so_far, _ in told]
    steps = [after - before for before, after in itertools.pairwise([*done[1:], total])]
    assert done[:2] == [0, 0]
    assert sorted(steps) == sorted(sizes.values())


def test_a_run_without_memory_says_how_long_a_text_would_fit(llama, monkeypatch):
    """Counted by what the keys and values of a token take in that model."""
    dispatcher = Dispatcher(CPU)
    model, _ = dispatcher._models.get(llama, lambda *_: None, AloneTurn())
    monkeypatch.setattr(DeviceMemory, "free", lambda _: 300_000)

    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(type(model.model), "forward", fail)
    request = wire.Generate("r", str(llama), "The quick", max_new_tokens=5)
    with pytest.raises(RunError) as raised:
        dispatcher(request, lambda _: None, AloneTurn())
    assert raised.value.code == "out-of-memory"
    assert "0.0 GiB of cpu are free" in raised.value.message
    # Two layers, two heads of eight numbers, a key and a value, four bytes: 256 bytes a token.
    assert "about 500 tokens" in raised.value.hint
    assert "tokens" not in shortage(300 * 2**30, CPU, model).hint
    assert "smaller model" in shortage(None, CPU, None).hint


def test_what_torch_holds_of_a_gpu_and_does_not_use_is_free(monkeypatch):
    """With torch's functions replaced: there is no GPU in tests."""
    gib = 2**30
    free, reserved, allocated = {0: 10 * gib, 1: 70 * gib}, 6 * gib, 2 * gib
    fakes = {
        "device_count": lambda: 2,
        "get_device_properties": lambda _: SimpleNamespace(total_memory=80 * gib),
        "mem_get_info": lambda device: (free[device.index], 80 * gib),
        "memory_reserved": lambda device: reserved if device.index == 0 else 0,
        "memory_allocated": lambda device: allocated if device.index == 0 else 0,
        "max_memory_allocated": lambda _: 5 * gib,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    memory = DeviceMemory(Placement(torch.device("cuda", 0), torch.bfloat16))
    assert memory.total() == 80 * gib
    assert memory.free() == 14 * gib
    assert memory.free_of_all() == 84 * gib
    assert memory.peak() == 5 * gib

"""The models in memory: loaded once, they stay while there is room for them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from transformers_ls_worker.device import Placement
from transformers_ls_worker.failures import RunAborted, RunError
from transformers_ls_worker.heads import Head, load_head
from transformers_ls_worker.load_failures import load_error
from transformers_ls_worker.loading import LoadedModel, load
from transformers_ls_worker.memory import DeviceMemory, gibibytes, parameters_that_fit, share
from transformers_ls_worker.model_files import check_adapter, check_files, fingerprint
from transformers_ls_worker.onnx_store import OnnxStore
from transformers_ls_worker.progress import progress
from transformers_ls_worker.turns import Turn
from transformers_ls_worker.weights import tensor_bytes, weights_bytes

__all__ = ["Models", "Tell"]

Tell: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of a model are loaded, and how many it has."""


class _Name(NamedTuple):
    path: Path
    adapter: Path | None
    head: Head | None


@dataclass(frozen=True, slots=True)
class _Entry:
    version: tuple[object, ...]
    loaded: LoadedModel
    bytes: int


class Models:
    """The models in memory; the least recently used one leaves when another needs its room.

    Only the run that has its turn asks for models, so nothing here is locked.

    Args:
        placement: What they run on.
        memory: The memory of it.
        store: Models that ONNX Runtime computes; None where torch computes all.
    """

    def __init__(
        self,
        placement: Placement,
        memory: DeviceMemory | None = None,
        store: OnnxStore | None = None,
    ) -> None:
        self._placement = placement
        self._store = store
        self._memory = memory or DeviceMemory(placement)
        self._entries: OrderedDict[_Name, _Entry] = OrderedDict()
        self._used: dict[Turn, _Name] = {}
        """Which model a run uses."""
        self._loading = False
        self._crowded = False
        """Whether a run waits for the end of others, so that their models can leave."""

    def get(
        self,
        path: Path,
        tell: Tell,
        turn: Turn,
        adapter: Path | None = None,
        head: Head | None = None,
    ) -> tuple[LoadedModel, float]:
        """Return the model of a folder or GGUF file, loading it if need be.

        It stays in memory until `release` is called with the same turn.

        Args:
            path: Where the model is.
            tell: Told how far the loading is.
            turn: Lets others compute while the model loads; an abort ends that.
            adapter: The folder of a PEFT adapter to put on it.
            head: What it must be trained for, if not for generating text.

        Returns:
            The model, and the seconds that loading took: 0 when it was in memory.

        Raises:
            RunAborted: The run was aborted.
            RunError: The model cannot be loaded, or does not fit.
        """
        name = _Name(path, adapter, head)
        # One model loads at a time: two would need their room at once, and may be the same. And no
        # run begins with a model that has to leave as soon as nobody uses it.
        while self._loading and (self._crowded or self._here(name) is None):
            _wait(turn)
        started = time.monotonic()
        seconds = 0.0
        if (loaded := self._here(name)) is None:
            check_files(path)
            if adapter is not None:
                check_adapter(adapter)
            self._loading = True
            try:
                loaded = self._load(name, tell, turn)
            finally:
                self._loading = self._crowded = False
            seconds = time.monotonic() - started
        self._entries.move_to_end(name)
        self._used[turn] = name
        return loaded, seconds

    def used_by(self, turn: Turn) -> LoadedModel | None:
        """Return the model that a run uses."""
        entry = self._entries.get(self._used[turn]) if turn in self._used else None
        return None if entry is None else entry.loaded

    def release(self, turn: Turn) -> None:
        """Let the model that a run used leave when another needs its room."""
        self._used.pop(turn, None)

    def _here(self, name: _Name) -> LoadedModel | None:
        entry = self._entries.get(name)
        version = fingerprint(name.path, name.adapter)
        return entry.loaded if entry is not None and entry.version == version else None

    def _load(self, name: _Name, tell: Tell, turn: Turn) -> LoadedModel:
        # What was installed anew in its place is another model.
        self._entries.pop(name, None)
        version, need = fingerprint(name.path, name.adapter), self._need(name)
        tell(0, need)
        spread = self._make_room(name, need, turn)
        try:
            loaded = self._try(name, need, tell, turn, spread=spread)
        except RunError as error:
            if error.code != "out-of-memory":
                raise
            loaded = None
        if loaded is None:  # Out of the handler: the exception holds what was loaded so far.
            loaded = self._try_alone(name, need, tell, turn, spread=spread)
        self._entries[name] = _Entry(version, loaded, need)
        return loaded

    def _need(self, name: _Name) -> int:
        itemsize = self._placement.dtype.itemsize
        paths = filter(None, (name.path, name.adapter))
        return sum(weights_bytes(path, itemsize) for path in paths)

    def _try(self, name: _Name, need: int, tell: Tell, turn: Turn, *, spread: bool) -> LoadedModel:
        def check() -> None:
            turn.give_way()
            if turn.aborted():
                raise RunAborted

        path, adapter, head = name
        sizes = tensor_bytes(path, self._placement.dtype.itemsize) if path.is_dir() else {}
        try:
            with progress(lambda done: tell(done, need), check, sizes, need):
                if head is not None:
                    return load_head(path, head, self._placement)
                if self._store is not None and adapter is None:
                    ready = self._store.load(
                        path, lambda part: tell(need * part // 100, need), check
                    )
                    if ready is not None:
                        return ready
                loaded = load(path, self._placement, adapter, spread=spread)
        except RunAborted:
            self._memory.give_back()
            raise
        except Exception as error:
            self._memory.give_back()
            raise load_error(path, error) from error
        # accelerate puts what no GPU has room for into the computer's memory, where a token takes
        # seconds. Not seen on a machine with several GPUs: the tests have none.
        if spread and {"cpu", "disk"} & set(map(str, loaded.model.hf_device_map.values())):
            raise self._too_large(name, need, self._spread_room())
        return loaded

    def _try_alone(
        self, name: _Name, need: int, tell: Tell, turn: Turn, *, spread: bool
    ) -> LoadedModel:
        """Load a model, for which there was less memory than the device said, without others."""
        if self._entries:
            while self._entries:
                self._let_one_leave(turn)
            try:
                return self._try(name, need, tell, turn, spread=spread)
            except RunError as error:
                if error.code != "out-of-memory":
                    raise
        self._memory.give_back()
        raise self._too_large(name, need, self._room(alone=True) or 0)

    def _make_room(self, name: _Name, need: int, turn: Turn) -> bool:
        """Let models leave until there is room for `need` bytes.

        Returns:
            Whether the model has to be spread over several GPUs.

        Raises:
            RunAborted: The run was aborted while it waited for the end of others.
            RunError: There would not be room even if all models left.
        """
        self._memory.give_back()
        if (most := self._room(alone=True)) is not None and need > most:
            if need > self._spread_room():
                raise self._too_large(name, need, max(most, self._spread_room()))
            while self._entries:
                self._let_one_leave(turn)
            return True
        while (room := self._room()) is not None and need > room:
            if not self._entries:
                raise self._too_large(name, need, room)
            self._let_one_leave(turn)
        return False

    def _let_one_leave(self, turn: Turn) -> None:
        """Forget the model that was not used for longest; while all are in use, wait."""
        in_use = set(self._used.values())
        leaves = next((other for other in self._entries if other not in in_use), None)
        if leaves is None:
            self._crowded = True
            _wait(turn)
            return
        del self._entries[leaves]
        self._memory.give_back()

    def _room(self, *, alone: bool = False) -> int | None:
        """Return how many bytes a new model may take: beside the others, or once they have left."""
        if (free := self._memory.free()) is None:
            return None
        held = self._held()
        return int(share(self._placement) * (free + held)) - (0 if alone else held)

    def _spread_room(self) -> int:
        """Return how many bytes a model may take on all GPUs, once the others have left."""
        spread = self._memory.free_of_all()
        return 0 if spread is None else int(share(self._placement) * (spread + self._held()))

    def _held(self) -> int:
        return sum(entry.bytes for entry in self._entries.values())

    def _too_large(self, name: _Name, need: int, room: int) -> RunError:
        placement = self._placement
        fits = parameters_that_fit(room, placement)
        return RunError(
            "out-of-memory",
            f"{name.path.name} takes {gibibytes(need)} in {placement.dtype_name}, but models can take "
            f"no more than {gibibytes(max(0, room))} of {placement.device} now.",
            f"A model of up to about {fits} parameters would fit; or close what else uses the "
            "memory.",
        )


def _wait(turn: Turn) -> None:
    """Let others compute, since this run needs them to end something first."""
    turn.give_way(at_once=True)
    if turn.aborted():
        raise RunAborted

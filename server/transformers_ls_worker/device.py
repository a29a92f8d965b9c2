"""Which device runs the models, and in what precision: asked of the hardware, not of its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

__all__ = ["Placement", "all_threads", "choose_placement", "keep_state", "use_threads"]

_THREADS: int = torch.get_num_threads()
"""One for each physical core, unless the environment says otherwise."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and the type that weights are loaded as."""

    device: torch.device
    dtype: torch.dtype

    @property
    def dtype_name(self) -> str:
        """The type's name without the module: `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")


def choose_placement(device: str | None = None, dtype: str | None = None) -> Placement:
    """Return the best device of this machine and its precision, or what was asked for by name."""
    chosen = torch.device(device) if device else _best_device()
    kind: Any = getattr(torch, dtype) if dtype else _best_dtype(chosen.type)
    return Placement(chosen, kind)


def use_threads(placement: Placement, phase: Literal["prompt", "decode"]) -> None:
    """Set how many threads compute on the CPU; accelerators have nothing to do with it.

    Reading a prompt scales with the cores. Decoding waits for memory, gains little from the last
    core and loses much when its threads wait for one that the editor has taken: measured on two
    busy cores, one thread decoded 1.3 to 1.8 times as fast as two. So it leaves one core free.
    """
    if placement.device.type == "cpu":
        torch.set_num_threads(_THREADS if phase == "prompt" else max(1, _THREADS - 1))


def all_threads() -> int:
    """Return how many threads compute on the CPU when none is left out: one for each core."""
    return _THREADS


def keep_state(placement: Placement) -> Callable[[], None]:
    """Note torch's random numbers and number of threads; what is returned sets them so again.

    The numbers are the state of a generator for each device, and drawing from it reads nothing else,
    so that a seed gives the same text whether or not another run drew in between.
    """
    threads, numbers = torch.get_num_threads(), torch.get_rng_state()
    read, write = _generators(placement.device.type)
    device_numbers = read()

    def restore() -> None:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_rng_state(numbers)
        write(device_numbers)

    return restore


def _generators(kind: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """Return what reads and what sets the random numbers of all devices of a kind."""
    module: Any = getattr(torch, kind)
    if hasattr(module, "get_rng_state_all"):  # CUDA and XPU, of which there may be several.
        return module.get_rng_state_all, module.set_rng_state_all
    if hasattr(module, "get_rng_state"):  # MPS, of which there is one.
        return module.get_rng_state, module.set_rng_state
    return (lambda: None), (lambda _state: None)


def _best_device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps")
    if torch.xpu.is_available():
        return torch.device("xpu", 0)
    return torch.device("cpu")


def _best_dtype(kind: str) -> torch.dtype:
    if kind == "cuda":
        # Cards before Ampere only emulate bfloat16, slowly.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if kind == "xpu":
        return torch.bfloat16
    if kind == "mps":
        # Metal has bfloat16 from macOS 14 on; Gemma's activations overflow float16.
        newer = torch.backends.mps.is_macos_or_newer(14, 0)
        return torch.bfloat16 if newer else torch.float16
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively; emulated it is slower than float32."""
    cpu: Any = torch.cpu
    if hasattr(cpu, "get_capabilities"):
        has = cpu.get_capabilities()
        return any(has.get(feature) for feature in ("avx512_bf16", "amx_bf16"))
    if hasattr(cpu, "_is_avx512_bf16_supported"):  # torch before 2.10.
        return bool(cpu._is_avx512_bf16_supported())  # noqa: SLF001
    return False

"""A pipeline: the tokenizer.json that is really used, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers_ls.tokens.cuts import NO_CUTS, CutRule

__all__ = ["SPELLS_BYTES", "Pipeline"]

SPELLS_BYTES = "bytes"
"""How a process is told `Pipeline.spells_bytes`."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A tokenizer.json to count with, and the facts that the file alone does not tell."""

    path: Path
    exact: bool
    reason: str
    """Why not exact; empty otherwise."""
    added_tokens: int
    special_tokens: frozenset[str]
    engine: str
    """The fast engine that was found equal to the reference on this very file; empty for none."""
    spells_bytes: bool = False
    """Whether the engine's tokens tell by their spelling where they stand, as found on the probes."""
    cuts: CutRule = NO_CUTS
    """Where texts may be cut; proven for this file, and found so on the probes."""

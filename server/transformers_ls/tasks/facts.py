"""What a run took: counted here, and measured by the engine."""

from __future__ import annotations

from dataclasses import dataclass

from transformers_ls.engines.base import EngineFacts

__all__ = ["RunFacts"]


@dataclass(slots=True)
class RunFacts:
    """What a run took; times in seconds."""

    model: str
    destination: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    time_to_first_token: float = 0.0
    seconds: float = 0.0
    finish_reason: str = "stop"
    parts: int = 1
    """How many prompts the text took."""
    kept: int = 0
    """How many pieces stayed as they were: the model repeated them, had nothing for them, or had
    lost code, links or placeholders of them."""
    device: str | None = None
    """What computed, as the engine names it; None when it does not tell."""
    dtype: str | None = None
    memory_bytes: int | None = None
    """The most memory of the device that was used; None when it does not say."""
    load_seconds: float = 0.0
    """How long the model was loaded; 0 when it was there."""
    reused_tokens: int = 0
    accepted_tokens: int = 0

    def add(self, measured: EngineFacts) -> None:
        """Take in what the engine measured; a run may ask it several times."""
        self.device, self.dtype = measured.device, measured.dtype
        self.memory_bytes = measured.memory_bytes
        self.load_seconds += measured.load_seconds
        self.reused_tokens += measured.reused_tokens
        self.accepted_tokens += measured.accepted_tokens

    @property
    def tokens_per_second(self) -> float:
        """The decode rate after the first token; 0 when fewer than two tokens came."""
        decoding = self.seconds - self.time_to_first_token
        if self.completion_tokens < 2 or decoding <= 0:
            return 0.0
        return (self.completion_tokens - 1) / decoding

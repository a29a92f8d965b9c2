"""Keys and values of earlier prompts, so that what a prompt begins with is not computed again.

A prompt's beginning is computed in parts that end at fixed places, each part in one step by itself,
whether or not it was there already. So the same tokens are always computed in the same shapes, and
an answer's last bits do not depend on what was asked before: equal input gives equal output.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch

__all__ = ["Beginning", "Prefixes", "keeps_each_token"]

_LIMIT = 256 * 2**20
"""How many bytes of keys and values a model's prefixes take at most; SmolLM2-135M needs 23 KB for a
token, Llama 3.1 8B 131 KB."""

_ENDS = (512, 1024)
"""Where the parts of one prompt end, in tokens; after the last, one has as many tokens as it.

Cut there, a prompt of 700 or 1,500 tokens takes a CPU 6 or 7 % longer the first time (SmolLM2-135M); a
shorter one is computed again as fast as it matters."""

_SHARED_ENDS = (32, 64, 128, 256, *_ENDS)
"""The same for what all prompts of a batch begin with: it is computed once instead of for each."""

States: TypeAlias = list[tuple[torch.Tensor, torch.Tensor]]
"""The keys and values of each layer, for the tokens of one part."""


@dataclass(slots=True)
class _Part:
    """A part and what was seen after it: the parts of all prompts are a tree."""

    states: States = field(default_factory=list)
    next: dict[tuple[int, ...], _Part] = field(default_factory=dict)
    used: int = 0

    @property
    def bytes(self) -> int:
        return sum(keys.nbytes + values.nbytes for keys, values in self.states)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known of some prompts before they are computed."""

    cache: Any
    """A cache that `generate` goes on from."""
    reused_tokens: int
    """How many tokens of the prompts were not computed for it."""


class Prefixes:
    """The beginnings of earlier prompts of one model; the least recently used ones leave.

    Args:
        limit: How many bytes they may take.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._root = _Part()
        self._bytes = 0
        self._clock = itertools.count(1)

    def begin(self, model: Any, rows: Sequence[Sequence[int]]) -> Beginning | None:
        """Compute what one prompt, or all prompts of a batch, begin with; or take it from earlier.

        Args:
            model: The decoder, one that `keeps_each_token`.
            rows: The prompts' tokens. At least one token of each is left to be computed.

        Returns:
            What `generate` goes on from; None when there is nothing to gain.
        """
        tokens = rows[0][: min(_common_length(rows), min(map(len, rows)) - 1)]
        ends = list(_ends(len(tokens), shared=len(rows) > 1))
        if not ends:
            return None
        parts = [tuple(tokens[start:end]) for start, end in itertools.pairwise([0, *ends])]
        known = self._known(parts)
        reused = sum(map(len, parts[: len(known)]))
        states = [part.states for part in known]
        states += self._compute(model, parts, states)
        # Rows end together, so a shorter one begins later, and its last shared tokens are computed.
        longest = max(map(len, rows))
        late = [min(longest - len(row), ends[-1]) for row in rows]
        cache = _new_cache(model)
        _fill(cache, states, late)
        saved = sum(ends[-1] - columns for columns in late)
        return Beginning(cache, max(0, saved - (ends[-1] - reused)))

    def clear(self) -> None:
        """Forget all of them, and give their memory back."""
        self._root = _Part()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self._bytes

    def _known(self, parts: Sequence[tuple[int, ...]]) -> list[_Part]:
        """Return the parts that were computed before, up to the first that was not."""
        found, now, part = [], next(self._clock), self._root
        for tokens in parts:
            if (following := part.next.get(tokens)) is None:
                break
            following.used = now
            found.append(part := following)
        return found

    def _compute(
        self, model: Any, parts: Sequence[tuple[int, ...]], known: Sequence[States]
    ) -> list[States]:
        """Compute and keep the parts after those that are known."""
        if len(known) == len(parts):
            return []
        cache = _new_cache(model)
        _fill(cache, known, [0])
        # Sliding windows are cut after each part only, so that all of its tokens can be read.
        cache.activate_past_recording()
        options = {"use_cache": True, "past_key_values": cache}
        if "logits_to_keep" in inspect.signature(model.forward).parameters:
            options["logits_to_keep"] = 1
        computed: list[States] = []
        for number, tokens in enumerate(parts[len(known) :], len(known)):
            model(input_ids=torch.tensor([tokens], device=model.device), **options)
            states = [
                (_last(layer.keys, len(tokens)), _last(layer.values, len(tokens)))
                for layer in cache.layers
            ]
            cache.crop(0)
            computed.append(states)
            self._keep(parts[: number + 1], states)
        return computed

    def _keep(self, path: Sequence[tuple[int, ...]], states: States) -> None:
        """Keep a part behind the ones before it, if they are still there."""
        before = self._known(path[:-1])
        if len(before) < len(path) - 1:
            return
        parent = before[-1] if before else self._root
        if path[-1] in parent.next:  # Another run of the model was faster.
            return
        part = _Part(states, used=next(self._clock))
        parent.next[path[-1]] = part
        self._bytes += part.bytes
        while self._bytes > self._limit:
            self._forget_one()

    def _forget_one(self) -> None:
        """Forget the least recently used part of those that nothing comes after."""
        last = [
            (part.used, tokens, parent)
            for parent in _walk(self._root)
            for tokens, part in parent.next.items()
            if not part.next
        ]
        _used, tokens, parent = min(last, key=lambda item: item[0])
        self._bytes -= parent.next.pop(tokens).bytes


def _common_length(rows: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all rows begin with."""
    columns = zip(*rows, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


def _ends(length: int, *, shared: bool) -> Iterator[int]:
    """Yield where parts end that lie within `length` tokens."""
    fixed = _SHARED_ENDS if shared else _ENDS
    for end in itertools.chain(fixed, itertools.count(2 * fixed[-1], fixed[-1])):
        if end > length:
            return
        yield end


def _walk(part: _Part) -> Iterator[_Part]:
    yield part
    for following in part.next.values():
        yield from _walk(following)


def _last(states: torch.Tensor, count: int) -> torch.Tensor:
    # A copy: a view would keep the whole tensor.
    return states[..., -count:, :].clone()


def _new_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config.get_text_config(decoder=True))


def _fill(cache: Any, parts: Sequence[States], late: Sequence[int]) -> None:
    """Put the states of parts into an empty cache, for rows that begin so many columns late."""
    if not parts:
        return
    for number, layer in enumerate(zip(*parts, strict=True)):
        joined = [torch.cat([states[side] for states in layer], dim=-2) for side in (0, 1)]
        if any(late) or len(late) > 1:
            joined = [_shifted(states, late) for states in joined]
        cache.update(*joined, number)


def _shifted(states: torch.Tensor, late: Sequence[int]) -> torch.Tensor:
    """Return the states for each row, from the column on where it begins; padding before it."""
    _one, heads, length, size = states.shape
    rows = states.new_zeros((len(late), heads, length, size))
    for row, columns in enumerate(late):
        rows[row, :, columns:] = states[0, :, : length - columns]
    return rows


def keeps_each_token(model: Any) -> bool:
    """Whether a model keeps keys and values of each token, which mean the same in any prompt."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = {rope.get("rope_type")} | {
        inner.get("rope_type") for inner in rope.values() if isinstance(inner, dict)
    }
    # These turn a token's keys by an angle that depends on the length of the whole text.
    if kinds & {"dynamic", "longrope"} or not model._supports_default_dynamic_cache():  # noqa: SLF001
        return False
    layers = _new_cache(model).layers
    return bool(layers) and all(
        type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
    )

"""One run: a prompt in, pieces of text out, as `model.generate` makes them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.device import Placement, use_threads
from transformers_ls_worker.failures import RunAborted, RunError
from transformers_ls_worker.models import LoadedModel, Models
from transformers_ls_worker.text import Detokenizer, StopStrings

__all__ = ["generate"]

_CONTEXT_TOKENS = 6
"""How many ids of the prompt the first piece of text is decoded with; vLLM takes 5."""


def generate(
    request: wire.Generate,
    models: Models,
    placement: Placement,
    send: Callable[[wire.FromWorker], None],
    aborted: Callable[[], bool],
) -> wire.Done:
    """Do a run: load its model if need be, stream its text with `send`, return how it ended.

    Args:
        request: What to generate.
        models: Where models come from.
        placement: What they run on.
        send: Takes the frames of the run, except the last.
        aborted: Whether the run was aborted; asked at least once per layer of the model.

    Raises:
        RunError: The run cannot be done, for a reason that is worth telling.
    """
    run = _Run(request, send, aborted)
    try:
        path = Path(request.model)
        loaded, run.load_seconds = models.get(
            path, lambda percent: run.stage("loading", f"Loading {path.name}", percent), run.check
        )
        ids = _prompt_ids(request, loaded)
        run.prompt_tokens = len(ids)
        run.check()
        run.stage("running", f"Running {path.name}", None)
        run.compute(loaded, ids, placement)
    except RunAborted:
        run.finish_reason = "abort"
    return wire.Done(
        run_id=request.run_id,
        finish_reason=run.finish_reason,
        prompt_tokens=run.prompt_tokens,
        completion_tokens=run.completion_tokens,
        time_to_first_token=run.time_to_first_token,
        seconds=time.monotonic() - run.started,
        device=str(placement.device),
        dtype=placement.dtype_name,
        load_seconds=run.load_seconds,
        seed=run.seed,
    )


def _prompt_ids(request: wire.Generate, loaded: LoadedModel) -> list[int]:
    """Tokenize the prompt and see that it fits, before anything is computed."""
    tokenizer = loaded.tokenizer
    ids: list[int] = tokenizer(
        request.prompt, add_special_tokens=request.add_special_tokens, verbose=False
    ).input_ids
    if not ids:
        start = tokenizer.bos_token_id
        if start is None:
            raise RunError("internal", "The prompt is empty.", "Write something to continue.")
        ids = [start]
    if loaded.window is not None and len(ids) >= loaded.window:
        raise RunError(
            "prompt-too-long",
            f"The prompt has {len(ids):,} tokens, but the model's window holds "
            f"{loaded.window:,} for prompt and answer together.",
            "Select less text, or choose a model with a larger context window.",
        )
    return ids


class _Run:
    """What a run has done so far; its parts are called in order by `generate` above."""

    def __init__(
        self,
        request: wire.Generate,
        send: Callable[[wire.FromWorker], None],
        aborted: Callable[[], bool],
    ) -> None:
        self.started = time.monotonic()
        self.load_seconds = 0.0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.time_to_first_token: float | None = None
        self.finish_reason: wire.FinishReason = "length"
        self.seed: int | None = None
        self._request = request
        self._send = send
        self._aborted = aborted
        self._stops = StopStrings(request.stop)

    def check(self) -> None:
        """Raise `RunAborted` when the user stopped the run."""
        if self._aborted():
            raise RunAborted

    def stage(self, name: Any, message: str, percent: int | None) -> None:
        """Tell what the run does before its first token."""
        self._send(wire.Stage(self._request.run_id, name, message, percent))

    def compute(self, loaded: LoadedModel, ids: list[int], placement: Placement) -> None:
        """Generate, and send the text as it comes."""
        from transformers import StoppingCriteriaList

        tokenizer, model = loaded.tokenizer, loaded.model
        text = Detokenizer(
            lambda some: str(
                tokenizer.decode(some, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            ),
            ids[-_CONTEXT_TOKENS:],
        )
        end_tokens = _end_tokens(model.generation_config)

        def take(token: int) -> bool:
            """Take a new token; say whether the run is over."""
            self.completion_tokens += 1
            if self.time_to_first_token is None:
                self.time_to_first_token = time.monotonic() - self.started
                use_threads(placement, "decode")
            if token in end_tokens:
                self.finish_reason = "eos"
                return True
            self._show(text.push(token))
            if self._stops.hit:
                self.finish_reason = "stop"
            return self._stops.hit

        use_threads(placement, "prompt")
        inputs = torch.tensor([ids], device=placement.device)
        with _abortable(model, self.check), torch.inference_mode():
            model.generate(
                inputs,
                attention_mask=torch.ones_like(inputs),
                stopping_criteria=StoppingCriteriaList([_Tap(take, self.check)]),
                **self._options(loaded, end_tokens),
            )
        self._show(text.finish())
        self._show(self._stops.finish())
        if self._stops.hit:
            self.finish_reason = "stop"

    def _show(self, text: str) -> None:
        if shown := self._stops.push(text):
            self._send(wire.Delta(self._request.run_id, shown, self.completion_tokens))

    def _options(self, loaded: LoadedModel, end_tokens: frozenset[int]) -> dict[str, Any]:
        request, defaults = self._request, loaded.model.generation_config
        room = None if loaded.window is None else loaded.window - self.prompt_tokens
        limit = request.max_new_tokens
        options: dict[str, Any] = {
            "max_new_tokens": limit if room is None else min(limit, room),
            "num_beams": 1,
            "num_return_sequences": 1,
            "return_dict_in_generate": False,
        }
        if request.repetition_penalty is not None:
            options["repetition_penalty"] = request.repetition_penalty
        if defaults.pad_token_id is None and end_tokens:
            options["pad_token_id"] = min(end_tokens)
        if not request.temperature:
            return {**options, "do_sample": False}
        self.seed = secrets.randbits(32) if request.seed is None else request.seed
        torch.manual_seed(self.seed)
        return {**options, "do_sample": True, "temperature": request.temperature}


def _end_tokens(generation_config: Any) -> frozenset[int]:
    ends = generation_config.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list | tuple) else [ends])


class _Tap:
    """A stopping criterion that sees each token at once, and before the next one is computed.

    A streamer would see it one step later: `generate` asks its criteria first.
    """

    def __init__(self, take: Callable[[int], bool], check: Callable[[], None]) -> None:
        self._take = take
        self._check = check

    def __call__(self, input_ids: Any, _scores: Any, **_kwargs: Any) -> Any:
        self._check()
        over = self._take(int(input_ids[0, -1]))
        return torch.full((input_ids.shape[0],), over, device=input_ids.device, dtype=torch.bool)


@contextmanager
def _abortable(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Ask for an abort before each layer, so that a long prompt's first step can be left too."""
    hooks = [
        layer.register_forward_pre_hook(lambda *_: check())
        for stack in model.modules()
        if isinstance(stack, torch.nn.ModuleList)
        for layer in stack
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

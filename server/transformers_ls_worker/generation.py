"""One run: prompts in, pieces of text out, as `model.generate` makes them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.decoding import CacheKind, cache_kind, decode
from transformers_ls_worker.device import Placement, use_threads
from transformers_ls_worker.failures import RunAborted, is_out_of_memory
from transformers_ls_worker.languages import Languages, choose_languages
from transformers_ls_worker.layers import before_each_layer
from transformers_ls_worker.loading import LoadedModel
from transformers_ls_worker.memory import give_back
from transformers_ls_worker.models import Models
from transformers_ls_worker.rows import Row, prompt_ids
from transformers_ls_worker.turns import Turn

__all__ = ["generate"]


def generate(
    request: wire.Generate,
    models: Models,
    placement: Placement,
    send: Callable[[wire.FromWorker], None],
    turn: Turn,
    cache: CacheKind | None = None,
) -> wire.Done:
    """Do a run: load its model if need be, stream its text with `send`, return how it ended.

    Args:
        request: What to generate.
        models: Where models come from.
        placement: What they run on.
        send: Takes the frames of the run, except the last.
        turn: Asked before each layer of the model whether the run was aborted, and to let others
            compute.
        cache: How keys and values are kept; chosen by the device by default.

    Raises:
        RunError: The run cannot be done, for a reason that is worth telling.
    """
    run = _Run(request, send, turn)
    try:
        path = Path(request.model)
        adapter = Path(request.adapter) if request.adapter else None
        loaded, run.load_seconds = models.get(path, run.loading, turn, adapter)
        run.dtype_name = loaded.dtype_name
        languages = Languages()
        if loaded.encodes:
            languages = choose_languages(
                loaded.tokenizer, request.source_language, request.target_language
            )
        run.rows = [
            Row(request, number, loaded, prompt_ids(request, prompt, loaded, languages), send)
            for number, prompt in enumerate(request.prompts)
        ]
        run.check()
        send(wire.Stage(request.run_id, "running", f"Running {path.name}"))
        run.cache = cache or cache_kind(placement.device)
        run.compute(loaded, placement, languages)
        reason = run.finish_reason
    except RunAborted:
        reason = "abort"
    return wire.Done(
        run_id=request.run_id,
        finish_reason=reason,
        prompt_tokens=sum(row.prompt_tokens for row in run.rows),
        completion_tokens=sum(row.completion_tokens for row in run.rows),
        time_to_first_token=run.time_to_first_token,
        seconds=time.monotonic() - run.started,
        device=str(placement.device),
        dtype=run.dtype_name or placement.dtype_name,
        load_seconds=run.load_seconds,
        seed=run.seed,
        reused_tokens=run.reused_tokens,
        accepted_tokens=run.accepted_tokens,
    )


class _Run:
    """What a run has done so far; its parts are called in order by `generate` above."""

    def __init__(
        self,
        request: wire.Generate,
        send: Callable[[wire.FromWorker], None],
        turn: Turn,
    ) -> None:
        self.started = time.monotonic()
        self.load_seconds = 0.0
        self.time_to_first_token: float | None = None
        self.seed: int | None = None
        self.rows: list[Row] = []
        self.cache: CacheKind = "dynamic"
        self.dtype_name = ""
        self.reused_tokens = 0
        self.accepted_tokens = 0
        self._request = request
        self._send = send
        self._turn = turn

    @property
    def finish_reason(self) -> wire.FinishReason:
        """Why the run ended; the limit, when any of its rows met it."""
        reasons = [row.finish_reason for row in self.rows]
        return "length" if "length" in reasons else reasons[-1]

    def check(self) -> None:
        """Let others compute, and raise `RunAborted` when the user stopped the run."""
        self._turn.give_way()
        if self._turn.aborted():
            raise RunAborted

    def loading(self, done: int, total: int) -> None:
        """Tell how many bytes of the model are loaded."""
        message = f"Loading {Path(self._request.model).name}"
        percent = 100 * done // max(1, total)
        run_id = self._request.run_id
        self._send(wire.Stage(run_id, "loading", message, percent, done, total))

    def compute(self, loaded: LoadedModel, placement: Placement, languages: Languages) -> None:
        """Generate, and send the text as it comes."""
        options = self._options(loaded)
        if languages.first_token is not None:
            options["forced_bos_token_id"] = languages.first_token
        # A rule about neighbouring tokens would see those of a shorter row's padding.
        neighbours = loaded.model.generation_config.no_repeat_ngram_size and not loaded.encodes
        together = 1 if neighbours else len(self.rows)
        with before_each_layer(loaded.model, self.check), torch.inference_mode():
            for start in range(0, len(self.rows), together):
                self._batch(self.rows[start : start + together], loaded, placement, options)

    def _batch(
        self,
        rows: Sequence[Row],
        loaded: LoadedModel,
        placement: Placement,
        options: dict[str, Any],
    ) -> None:
        """Compute rows together; where memory ends, the ones that are left in two halves.

        One row is tried once more when the runs that held memory beside it have ended.
        """
        use_threads(placement, "prompt")
        try:
            self._generate(rows, loaded, placement, options)
        except Exception as error:
            left = [row for row in rows if not row.over]
            smaller = len(rows) > 1 or self._turn.has_company()
            if not smaller or not is_out_of_memory(error):
                raise
        else:
            return
        # Out of the handler: the exception would hold the tensors that filled the memory.
        loaded.prefixes.clear()
        give_back(placement.device)
        if len(rows) == 1:
            self._turn.wait_alone()
            self.check()
        middle = -(-len(left) // 2)
        for half in filter(None, (left[:middle], left[middle:])):
            self._batch(half, loaded, placement, options)

    def _generate(
        self,
        rows: Sequence[Row],
        loaded: LoadedModel,
        placement: Placement,
        options: dict[str, Any],
    ) -> None:
        def take(tokens: list[list[int]]) -> list[bool]:
            """Take a step's new tokens; say which rows are over."""
            self.check()
            if self.time_to_first_token is None:
                self.time_to_first_token = time.monotonic() - self.started
            use_threads(placement, "decode")
            for row, some in zip(rows, tokens, strict=True):
                self.accepted_tokens += max(0, row.take(some) - 1)
            return [row.over for row in rows]

        drafts = self._request.repeats_prompt and not self._request.temperature
        self.reused_tokens += decode(rows, loaded, options, take, drafts=drafts, cache=self.cache)
        for row in rows:
            row.finish()

    def _options(self, loaded: LoadedModel) -> dict[str, Any]:
        request, defaults = self._request, loaded.model.generation_config
        padding = defaults.pad_token_id
        if padding is None:
            padding = min(loaded.end_tokens, default=0)
        options: dict[str, Any] = {
            "num_beams": 1,
            "num_return_sequences": 1,
            "return_dict_in_generate": False,
            "pad_token_id": padding,
        }
        if request.repetition_penalty is not None:
            options["repetition_penalty"] = request.repetition_penalty
        if not request.temperature:
            return {**options, "do_sample": False}
        self.seed = secrets.randbits(32) if request.seed is None else request.seed
        torch.manual_seed(self.seed)
        return {**options, "do_sample": True, "temperature": request.temperature}

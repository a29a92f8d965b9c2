"""One run: prompts in, pieces of text out, as `model.generate` makes them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker import wire
from transformers_ls_worker.device import Placement, use_threads
from transformers_ls_worker.failures import RunAborted, is_out_of_memory
from transformers_ls_worker.languages import Languages, choose_languages
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
) -> wire.Done:
    """Do a run: load its model if need be, stream its text with `send`, return how it ended.

    Args:
        request: What to generate.
        models: Where models come from.
        placement: What they run on.
        send: Takes the frames of the run, except the last.
        turn: Asked before each layer of the model whether the run was aborted, and to let others
            compute.

    Raises:
        RunError: The run cannot be done, for a reason that is worth telling.
    """
    run = _Run(request, send, turn)
    try:
        path = Path(request.model)
        adapter = Path(request.adapter) if request.adapter else None
        loaded, run.load_seconds = models.get(path, run.loading, turn, adapter)
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
        dtype=placement.dtype_name,
        load_seconds=run.load_seconds,
        seed=run.seed,
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
        # The penalty would hit the padding of the shorter rows, which is often the end token.
        together = len(self.rows) if self._request.repetition_penalty in (None, 1) else 1
        with _abortable(loaded.model, self.check), torch.inference_mode():
            for start in range(0, len(self.rows), together):
                self._batch(self.rows[start : start + together], loaded, placement, options)

    def _batch(
        self,
        rows: Sequence[Row],
        loaded: LoadedModel,
        placement: Placement,
        options: dict[str, Any],
    ) -> None:
        """Compute rows together; where memory ends, the ones that are left in two halves."""
        use_threads(placement, "prompt")
        try:
            self._generate(rows, loaded, placement, options)
        except Exception as error:
            left = [row for row in rows if not row.over]
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
        else:
            return
        # Out of the handler: the exception would hold the tensors that filled the memory.
        give_back(placement.device)
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
        from transformers import StoppingCriteriaList

        def take(tokens: list[int]) -> list[bool]:
            """Take a step's new tokens; say which rows are over."""
            self.check()
            if self.time_to_first_token is None:
                self.time_to_first_token = time.monotonic() - self.started
            use_threads(placement, "decode")
            for row, token in zip(rows, tokens, strict=True):
                row.take(token)
            return [row.over for row in rows]

        loaded.model.generate(
            **_inputs(rows, loaded, options["pad_token_id"], placement.device),
            stopping_criteria=StoppingCriteriaList([_Tap(take)]),
            max_new_tokens=max(row.room for row in rows),
            **options,
        )
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


def _inputs(
    rows: Sequence[Row], loaded: LoadedModel, padding: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Return the tensors that rows begin, or after a lack of memory go on, from.

    A decoder's rows end at the same place, where the new tokens come; an encoder's begin there,
    since it counts positions from the first token, padding or not.
    """
    if not loaded.encodes:
        texts = [row.ids + row.answer for row in rows]
        longest = max(map(len, texts))
        inputs = [[padding] * (longest - len(ids)) + ids for ids in texts]
        mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in texts]
    else:
        texts = [row.ids for row in rows]
        longest = max(map(len, texts))
        inputs = [ids + [padding] * (longest - len(ids)) for ids in texts]
        mask = [[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts]
    tensors = {
        "input_ids": torch.tensor(inputs, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }
    if loaded.encodes and rows[0].answer:
        start = loaded.model.generation_config.decoder_start_token_id
        # Rows that are not over have got a token in every step, so they are equally long.
        begun = [[start, *row.answer] for row in rows]
        tensors["decoder_input_ids"] = torch.tensor(begun, device=device)
    return tensors


class _Tap:
    """A stopping criterion that sees each step's tokens at once, before the next is computed.

    A streamer would see them one step later: `generate` asks its criteria first.
    """

    def __init__(self, take: Callable[[list[int]], list[bool]]) -> None:
        self._take = take

    def __call__(self, input_ids: Any, _scores: Any, **_kwargs: Any) -> Any:
        over = self._take(input_ids[:, -1].tolist())
        return torch.tensor(over, device=input_ids.device, dtype=torch.bool)


@contextmanager
def _abortable(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Ask for an abort before each layer, so that a long prompt's first step can be left too.

    A run in the same model has hooks of its own, and each is a thread: what this run's hooks ask is
    none of the other's business.
    """
    thread = threading.get_ident()

    def hook(*_: object) -> None:
        if threading.get_ident() == thread:
            check()

    hooks = [
        layer.register_forward_pre_hook(hook)
        for stack in model.modules()
        if isinstance(stack, torch.nn.ModuleList)
        for layer in stack
    ]
    try:
        yield
    finally:
        for handle in hooks:
            handle.remove()

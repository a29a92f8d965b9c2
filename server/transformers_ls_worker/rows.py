"""One prompt of a run and its answer, as a row of the batch that is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from transformers_ls_worker import wire
from transformers_ls_worker.failures import RunError
from transformers_ls_worker.languages import Languages
from transformers_ls_worker.loading import LoadedModel
from transformers_ls_worker.text import Detokenizer, StopStrings

__all__ = ["Row", "prompt_ids"]

_CONTEXT_TOKENS = 6
"""How many ids of the prompt the first piece of text is decoded with; vLLM takes 5."""


def prompt_ids(
    request: wire.Generate, prompt: str, loaded: LoadedModel, languages: Languages
) -> list[int]:
    """Tokenize a prompt and see that it fits, before anything is computed.

    Raises:
        RunError: It does not fit, or is empty for a model that has no BOS token.
    """
    tokenizer = loaded.tokenizer
    if languages.source is not None:
        tokenizer.src_lang = languages.source
    ids: list[int] = tokenizer(
        languages.prefix + prompt, add_special_tokens=request.add_special_tokens, verbose=False
    ).input_ids
    if not ids:
        start = tokenizer.bos_token_id
        if start is None:
            raise RunError("internal", "The prompt is empty.", "Write something to continue.")
        ids = [start]
    # An embedding that is not there would be a fault of the device, which ends all its work.
    if loaded.vocabulary is not None and (largest := max(ids)) >= loaded.vocabulary:
        raise RunError(
            "model-broken",
            f"The tokenizer gives the token {largest:,}, but the model knows only "
            f"{loaded.vocabulary:,}.",
            "Its tokenizer is of another model: fetch both again, or choose another.",
        )
    if loaded.encodes and loaded.window is not None and len(ids) > loaded.window:
        raise RunError(
            "prompt-too-long",
            f"The text has {len(ids):,} tokens, but the model takes {loaded.window:,}.",
            "Select less text, or choose a model that takes more.",
        )
    if not loaded.encodes and loaded.window is not None and len(ids) >= loaded.window:
        raise RunError(
            "prompt-too-long",
            f"The prompt has {len(ids):,} tokens, but the model's window holds "
            f"{loaded.window:,} for prompt and answer together.",
            "Select less text, or choose a model with a larger context window.",
        )
    return ids


class Row:
    """A prompt and what was generated for it so far.

    Args:
        request: The run it belongs to.
        number: Its place in the batch.
        loaded: The model.
        ids: The prompt's tokens.
        send: Takes the frames with its text.
    """

    def __init__(
        self,
        request: wire.Generate,
        number: int,
        loaded: LoadedModel,
        ids: list[int],
        send: Callable[[wire.FromWorker], None],
    ) -> None:
        self.ids = ids
        self.answer: list[int] = []
        """The tokens so far: what a restart goes on from."""
        self.prompt_tokens = len(ids)
        self.finish_reason: wire.FinishReason = "length"
        self.over = False
        """Whether its answer is complete; the tokens of later steps are padding."""
        window = loaded.window
        limit = request.max_new_tokens
        if window is not None:
            # An encoder-decoder has a window for each of its halves.
            limit = min(limit, window if loaded.encodes else window - len(ids))
        self._limit = limit
        self._end_tokens = loaded.end_tokens
        self._request = request
        self._number = number
        self._send = send
        self._stops = StopStrings(request.stop)
        decode = loaded.tokenizer.decode
        self._text = Detokenizer(
            lambda some: str(
                decode(some, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            ),
            [] if loaded.encodes else ids[-_CONTEXT_TOKENS:],
        )

    @property
    def completion_tokens(self) -> int:
        """How many tokens the answer has, an end token included."""
        return len(self.answer)

    @property
    def room(self) -> int:
        """How many tokens it may still get."""
        return self._limit - self.completion_tokens

    def take(self, tokens: Sequence[int]) -> int:
        """Take new tokens, up to the one that the answer ends with; return how many."""
        before = self.completion_tokens
        for token in tokens:
            if not self.over:
                self._take_one(token)
        return self.completion_tokens - before

    def _take_one(self, token: int) -> None:
        self.answer.append(token)
        if token in self._end_tokens:
            self._end("eos")
            return
        self._show(self._text.push(token))
        if self._stops.hit:
            self._end("stop")
        elif not self.room:
            self._end("length")

    def finish(self) -> None:
        """Say that no more tokens come."""
        if not self.over:
            self._end("length")

    def _end(self, reason: wire.FinishReason) -> None:
        self.over = True
        self._show(self._text.finish())
        self._show(self._stops.finish())
        self.finish_reason = "stop" if self._stops.hit else reason
        if self._request.others:
            self._send(
                wire.RowEnd(
                    self._request.run_id,
                    self._number,
                    self.finish_reason,
                    self.prompt_tokens,
                    self.completion_tokens,
                )
            )

    def _show(self, text: str) -> None:
        if shown := self._stops.push(text):
            self._send(
                wire.Delta(self._request.run_id, shown, self.completion_tokens, self._number)
            )

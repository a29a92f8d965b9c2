"""The engine of this machine: runs models in a worker process that it starts, watches and ends."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from transformers_ls.engines import outputs
from transformers_ls.engines.base import BatchItem, Options, Prompt
from transformers_ls.engines.inference import InferenceHost
from transformers_ls.engines.worker_host import Answer, HostOptions
from transformers_ls.errors import UsageError
from transformers_ls_worker import wire

if TYPE_CHECKING:
    from huggingface_hub import ChatCompletionStreamOutput, TextGenerationStreamOutput

    from transformers_ls.hub.resolve import ResolvedModel

__all__ = ["LocalEngine", "RenderChat"]

RenderChat: TypeAlias = Callable[[Path, Sequence[Mapping[str, Any]]], Awaitable[str]]
"""Renders messages with the template of the model in a folder, generation prompt included."""


class LocalEngine(InferenceHost):
    """Runs models on this machine's best device; a few runs share it by turns.

    Args:
        render_chat: Renders a chat to the prompt; templates never run in the worker.
        resolve: Finds a model by its name; blocking, called in a thread.
        python: The interpreter that has the worker's packages.
        device: torch's name of the device to use; the best one by default.
        dtype: What weights are loaded as; chosen by the device by default.
        prepared: Returns where models prepared for ONNX Runtime are kept, which decodes them on a CPU
            if it is installed, or None for torch alone; asked when a worker starts.
        options: How long the worker may take and stay; see `WorkerHost`.
    """

    def __init__(
        self,
        *,
        render_chat: RenderChat,
        resolve: Callable[[str], ResolvedModel] | None = None,
        python: str = sys.executable,
        device: str | None = None,
        dtype: str | None = None,
        prepared: Callable[[], Path | None] = lambda: None,
        **options: Unpack[HostOptions],
    ) -> None:
        def argv() -> list[str]:
            # -P: a file `torch.py` in the workspace must not be taken for the library.
            words = [python, "-P", "-m", "transformers_ls_worker"]
            for option, value in (
                ("--device", device),
                ("--dtype", dtype),
                ("--prepared", prepared()),
            ):
                if value is not None:
                    words += [option, str(value)]
            return words

        super().__init__(argv, **options)
        self._render_chat = render_chat
        self._resolve = resolve or _resolve

    async def chat_completion(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str,
        max_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[ChatCompletionStreamOutput, None]:
        """Stream the answer to a chat; see `Engine.chat_completion`.

        The last item has `usage` and `finish_reason`.
        """
        frames = self._ask(
            [messages],
            model=model,
            max_new_tokens=max_tokens,
            **options,
        )
        async with aclosing(frames):
            async for frame in frames:
                if isinstance(frame, wire.Delta):
                    yield outputs.chat_delta(frame.run_id, model, frame.text)
                elif isinstance(frame, wire.Done):
                    yield outputs.chat_end(frame.run_id, model, frame)

    async def text_generation(
        self,
        prompt: str,
        *,
        model: str,
        max_new_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[TextGenerationStreamOutput, None]:
        """Stream the continuation of a prompt; see `Engine.text_generation`.

        The last item has `details` and `generated_text`.
        Stop strings are not part of the text.
        """
        frames = self._ask(
            [prompt],
            model=model,
            max_new_tokens=max_new_tokens,
            **options,
        )
        text = ""
        index = 0
        async with aclosing(frames):
            async for frame in frames:
                if isinstance(frame, wire.Delta):
                    text += frame.text
                    yield outputs.generation_delta(index, frame.text)
                    index += 1
                elif isinstance(frame, wire.Done):
                    yield outputs.generation_end(index, text, frame)

    async def generate_batch(
        self,
        prompts: Sequence[Prompt],
        *,
        model: str,
        max_new_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[BatchItem, None]:
        """Answer several prompts as one padded batch; see `Engine.generate_batch`."""
        frames = self._ask(
            prompts,
            model=model,
            max_new_tokens=max_new_tokens,
            **options,
        )
        async with aclosing(frames):
            async for frame in frames:
                # The one row of a batch of one ends with its run.
                if isinstance(frame, wire.Delta):
                    yield BatchItem(frame.row, frame.text)
                elif isinstance(frame, wire.RowEnd) or (
                    isinstance(frame, wire.Done) and len(prompts) == 1
                ):
                    yield outputs.row_end(frame)

    async def _ask(
        self,
        prompts: Sequence[Prompt],
        *,
        model: str,
        max_new_tokens: int,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Answer, None]:
        """Find the model, write the prompts as it sees them, and do the run."""
        on_stage = options.get("on_stage")
        source, target = options.get("languages") or ("", "")
        _check_options(max_new_tokens, options.get("temperature"))
        self._begin_start(on_stage)
        closings = self._closings
        found = await asyncio.to_thread(self._resolve, model)
        if found.problem is not None:
            raise found.problem
        texts = [
            prompt if isinstance(prompt, str) else await self._render_chat(found.template, prompt)
            for prompt in prompts
        ]
        is_chat = not isinstance(prompts[0], str)
        # A template may open the model's reasoning; whoever reads the answer has to see that.
        opens = is_chat and texts[0].rstrip().endswith("<think>")
        silent = set(range(len(texts))) if opens else set()
        request = wire.Generate(
            run_id=uuid.uuid4().hex,
            model=str(found.folder),
            adapter=str(found.adapter or ""),
            prompt=texts[0],
            others=tuple(texts[1:]),
            # A rendered chat has its special tokens in the text.
            add_special_tokens=not is_chat,
            max_new_tokens=max_new_tokens,
            temperature=options.get("temperature"),
            repetition_penalty=options.get("repetition_penalty"),
            seed=options.get("seed"),
            stop=tuple(options.get("stop") or ()),
            source_language=source,
            target_language=target,
            repeats_prompt=options.get("repeats_prompt", False),
        )
        async with aclosing(self._run(request, model, on_stage, closings)) as frames:
            async for frame in frames:
                if isinstance(frame, wire.Done) and (on_facts := options.get("on_facts")):
                    on_facts(outputs.facts_of(frame))
                if isinstance(frame, wire.Delta) and frame.row in silent:
                    silent.discard(frame.row)
                    yield replace(frame, text=f"<think>{frame.text}")
                else:
                    yield frame


def _resolve(model: str) -> ResolvedModel:
    from transformers_ls.hub.resolve import resolve

    return resolve(model)


def _check_options(limit: int, temperature: float | None) -> None:
    if limit < 1:
        raise UsageError("A run must be allowed at least one token.")
    if temperature is not None and not 0 <= temperature < float("inf"):
        raise UsageError("The temperature must be 0 or more.", "0 gives the likeliest text.")

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
from transformers_ls.engines.base import (
    BatchItem,
    EngineState,
    EngineStatus,
    Options,
    Prompt,
    Stage,
    StageListener,
)
from transformers_ls.engines.worker_process import WorkerProcess, WorkerRun
from transformers_ls.errors import (
    EngineDiedError,
    RunCancelledError,
    TransformersLsError,
    UsageError,
)
from transformers_ls_worker import wire

if TYPE_CHECKING:
    from huggingface_hub import ChatCompletionStreamOutput, TextGenerationStreamOutput

    from transformers_ls.hub.resolve import ResolvedModel

__all__ = ["LocalEngine", "RenderChat"]

Answer: TypeAlias = wire.Delta | wire.RowEnd | wire.Output | wire.Done
"""A frame of a run that is part of its answer."""

RenderChat: TypeAlias = Callable[[Path, Sequence[Mapping[str, Any]]], Awaitable[str]]
"""Renders messages with the template of the model in a folder, generation prompt included."""


class LocalEngine:
    """Runs models on this machine's best device, one run after the other.

    The worker starts with the first run, or with `start`, and stays until `close`; should it end by
    itself, the runs in it fail with `EngineDiedError` and the next run starts a new one.

    Args:
        render_chat: Renders a chat to the prompt; templates never run in the worker.
        resolve: Finds a model by its name; blocking, called in a thread.
        python: The interpreter that has the worker's packages.
        device: torch's name of the device to use; the best one by default.
        dtype: What weights are loaded as; chosen by the device by default.
        start_seconds: How long the worker may take to start.
        abort_seconds: How long it may take to confirm that a stopped run computes no more; a worker
            that does not is killed.
        end_seconds: How long it may take to end after each step: asked, terminated, killed.
    """

    def __init__(
        self,
        *,
        render_chat: RenderChat,
        resolve: Callable[[str], ResolvedModel] | None = None,
        python: str = sys.executable,
        device: str | None = None,
        dtype: str | None = None,
        start_seconds: float = 120.0,
        abort_seconds: float = 20.0,
        end_seconds: float = 2.0,
    ) -> None:
        self.on_change: Callable[[], None] | None = None
        """Called, on the event loop, whenever `status()` may have changed."""
        self._render_chat = render_chat
        self._resolve = resolve or _resolve
        # -P: a file `torch.py` in the workspace must not be taken for the library.
        self._argv = [python, "-P", "-m", "transformers_ls_worker"]
        for option, value in (("--device", device), ("--dtype", dtype)):
            if value is not None:
                self._argv += [option, value]
        self._start_seconds = start_seconds
        self._abort_seconds = abort_seconds
        self._end_seconds = end_seconds
        self._worker: WorkerProcess | None = None
        self._starting: asyncio.Task[WorkerProcess] | None = None
        self._failure: TransformersLsError | None = None
        self._model: str | None = None
        self._closings = 0
        """How often `close` was called: a run that began before the last one is not done."""

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

    def status(self) -> EngineStatus:
        """Say what the engine is doing now.

        It is busy until the worker has confirmed that it computes no more, also after a stop.
        """
        worker, ready = self._worker, self._worker.ready if self._worker else None
        state: EngineState = "stopped"
        if self._starting is not None:
            state = "starting"
        elif worker is not None and not worker.ended:
            state = "busy" if worker.runs else "idle"
        elif self._failure is not None:
            state = "failed"
        place = f"this machine ({ready.device}, {ready.dtype})" if ready else "this machine"
        return EngineStatus(
            kind="local",
            state=state,
            destination=place,
            pid=worker.pid if worker else None,
            device=ready.device if ready else None,
            dtype=ready.dtype if ready else None,
            model=self._model,
            message=str(self._failure) if state == "failed" else "",
        )

    async def start(self) -> None:
        """Start the worker now, so that the first run need not wait for its imports."""
        await self._live_worker(None)

    async def close(self) -> None:
        """End the worker, and with it all runs, and give its memory back.

        Safe to call twice; a later run starts a new worker.
        """
        self._closings += 1
        # Both are taken before the first await: a run that begins meanwhile starts its own worker.
        starting, self._starting = self._starting, None
        worker, self._worker = self._worker, None
        self._failure = None
        self._model = None
        if starting is not None:
            starting.cancel()
            await asyncio.wait([starting])
        if worker is not None:
            await worker.close()
        self._changed()

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

    async def _run(
        self,
        request: wire.Generate | wire.Infer,
        model: str,
        on_stage: StageListener | None,
        closings: int,
    ) -> AsyncGenerator[Answer, None]:
        """Do a run in the worker; closing the iterator tells the worker to stop at once."""
        while True:
            if closings != self._closings:
                raise RunCancelledError("The engine was stopped.")
            known = self._worker
            worker = await self._live_worker(on_stage)
            self._model = model
            run = worker.begin(request)
            try:
                async with aclosing(_frames(run, on_stage)) as frames:
                    async for frame in frames:
                        yield frame
                return
            except EngineDiedError:
                # A worker that was dead already, unnoticed, never had the run: a new one may try.
                if run.begun or worker is not known:
                    raise
            finally:
                worker.abort(request.run_id)  # Nothing to do when the run has ended.

    def _begin_start(self, on_stage: StageListener | None) -> None:
        """Let the worker start while the model is looked up and the prompt is rendered."""
        if self._starting is None and (self._worker is None or self._worker.ended):
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(_retrieve)
            self._changed()
        if self._starting is not None and on_stage is not None:
            on_stage(Stage("starting", "Starting the local engine"))

    async def _live_worker(self, on_stage: StageListener | None) -> WorkerProcess:
        self._begin_start(on_stage)
        if (starting := self._starting) is not None:
            try:
                # Shielded: others may wait for the same start when this caller is cancelled.
                return await asyncio.shield(starting)
            except asyncio.CancelledError:
                if starting.cancelled():  # By `close`, not by whoever awaits this run.
                    raise RunCancelledError("The engine was stopped.") from None
                raise
        assert self._worker is not None
        return self._worker

    async def _start(self) -> WorkerProcess:
        worker = WorkerProcess(
            self._argv,
            start_seconds=self._start_seconds,
            abort_seconds=self._abort_seconds,
            end_seconds=self._end_seconds,
            on_change=self._changed,
        )
        self._worker = worker
        self._failure = None
        try:
            await worker.start()
        except TransformersLsError as error:
            if self._worker is worker:
                self._failure = error
                self._worker = None
            raise
        finally:
            if self._starting is asyncio.current_task():
                self._starting = None
            self._changed()
        return worker

    def _changed(self) -> None:
        worker = self._worker
        if worker is not None and worker.ended and worker.exit_error is not None:
            self._failure = worker.exit_error
        if self.on_change is not None:
            self.on_change()


async def _frames(run: WorkerRun, on_stage: StageListener | None) -> AsyncGenerator[Answer, None]:
    while True:
        frame = await run.next()
        if isinstance(frame, wire.Stage):
            if on_stage is not None:
                on_stage(_stage(frame))
            continue
        yield frame
        if isinstance(frame, wire.Done):
            return


def _stage(frame: wire.Stage) -> Stage:
    return Stage(frame.name, frame.message, frame.percent, frame.done_bytes, frame.total_bytes)


def _resolve(model: str) -> ResolvedModel:
    from transformers_ls.hub.resolve import resolve

    return resolve(model)


def _check_options(limit: int, temperature: float | None) -> None:
    if limit < 1:
        raise UsageError("A run must be allowed at least one token.")
    if temperature is not None and not 0 <= temperature < float("inf"):
        raise UsageError("The temperature must be 0 or more.", "0 gives the likeliest text.")


def _retrieve(task: asyncio.Task[WorkerProcess]) -> None:
    """Mark a failed start as seen: the run that asked for it may have been stopped meanwhile."""
    if not task.cancelled():
        task.exception()

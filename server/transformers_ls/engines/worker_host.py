"""The worker process of an engine: started when it is needed, replaced when it died, ended when idle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TypeAlias, TypedDict, Unpack

from transformers_ls.engines.base import EngineState, EngineStatus, Stage, StageListener
from transformers_ls.engines.idle import IdleTimer
from transformers_ls.engines.worker_process import WorkerProcess, WorkerRun
from transformers_ls.errors import EngineDiedError, RunCancelledError, TransformersLsError
from transformers_ls_worker import wire

__all__ = ["KEEP_ALIVE_SECONDS", "Answer", "HostOptions", "WorkerHost"]

KEEP_ALIVE_SECONDS = 900.0
"""How long a worker stays without a run: longer than a pause in writing, shorter than a meal."""

Answer: TypeAlias = wire.Delta | wire.RowEnd | wire.Output | wire.Done
"""A frame of a run that is part of its answer."""


class HostOptions(TypedDict, total=False):
    """How long a worker may take and stay, in seconds."""

    start_seconds: float
    """How long it may take to start."""
    abort_seconds: float
    """How long it may take to confirm that a stopped run computes no more; one that does not is
    killed."""
    end_seconds: float
    """How long it may take to end after each step: asked, terminated, killed."""
    keep_alive: Callable[[], float]
    """How long it stays without a run, asked when the last run has ended; negative for ever."""


class WorkerHost:
    """Does runs in a worker process.

    The worker starts with the first run, or with `start`, and stays until it was idle for some time,
    or `close`; should it end by itself, the runs in it fail with `EngineDiedError` and the next run
    starts a new one.

    Args:
        argv: Returns the command that starts a worker.
        options: How long it may take and stay.
    """

    def __init__(self, argv: Callable[[], Sequence[str]], **options: Unpack[HostOptions]) -> None:
        self.on_change: Callable[[], None] | None = None
        """Called, on the event loop, whenever `status()` may have changed."""
        self._argv = argv
        self._start_seconds = options.get("start_seconds", 120.0)
        self._abort_seconds = options.get("abort_seconds", 20.0)
        self._end_seconds = options.get("end_seconds", 2.0)
        keep_alive = options.get("keep_alive", lambda: KEEP_ALIVE_SECONDS)
        self._idle = IdleTimer(keep_alive, self._leave)
        self._leaving: asyncio.Task[None] | None = None
        """Ends a worker that was idle: the next one starts when its memory is free."""
        self._worker: WorkerProcess | None = None
        self._starting: asyncio.Task[WorkerProcess] | None = None
        self._failure: TransformersLsError | None = None
        self._model: str | None = None
        self._dtype = ""
        """What the last run's weights were, where that is known: one decoder has its own."""
        self._closings = 0
        """How often `close` was called: a run that began before the last one is not done."""

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
        dtype = (self._dtype or ready.dtype) if ready else None
        place = f"this machine ({ready.device}, {dtype})" if ready else "this machine"
        return EngineStatus(
            kind="local",
            state=state,
            destination=place,
            pid=worker.pid if worker else None,
            device=ready.device if ready else None,
            dtype=dtype,
            model=self._model,
            message=str(self._failure) if state == "failed" else "",
        )

    async def start(self) -> None:
        """Start the worker now, so that the first run need not wait for its imports."""
        with self._idle.used():
            await self._live_worker(None)

    async def close(self) -> None:
        """End the worker, and with it all runs, and give its memory back.

        Safe to call twice; a later run starts a new worker.
        """
        self._closings += 1
        self._idle.stop()
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
        if self._leaving is not None:
            await asyncio.wait([self._leaving])
        self._changed()

    async def _run(
        self,
        request: wire.Generate | wire.Infer,
        model: str,
        on_stage: StageListener | None,
        closings: int,
    ) -> AsyncGenerator[Answer, None]:
        """Do a run in the worker; closing the iterator tells the worker to stop at once."""
        with self._idle.used():
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
                            if isinstance(frame, wire.Done):
                                self._dtype = frame.dtype
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
            self._argv(),
            start_seconds=self._start_seconds,
            abort_seconds=self._abort_seconds,
            end_seconds=self._end_seconds,
            on_change=self._changed,
        )
        self._worker = worker
        self._failure = None
        self._dtype = ""
        try:
            if self._leaving is not None:
                await asyncio.wait([self._leaving])
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

    def _leave(self) -> None:
        """End a worker that nobody has used for a while: only so its memory is surely free."""
        worker = self._worker
        if worker is None or worker.ended or self._starting is not None:
            return
        if worker.runs:  # A run was stopped, and the worker has not confirmed it.
            self._idle.restart()
            return
        self._worker = None
        self._model = None
        self._leaving = asyncio.create_task(worker.close())
        self._leaving.add_done_callback(lambda _: self._changed())

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


def _retrieve(task: asyncio.Task[WorkerProcess]) -> None:
    """Mark a failed start as seen: the run that asked for it may have been stopped meanwhile."""
    if not task.cancelled():
        task.exception()

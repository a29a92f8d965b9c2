"""One worker process, from the front's side: its pipes, its runs, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

from transformers_ls.engines.failures import WORKER_HINT, death, describe_exit, failure
from transformers_ls.errors import (
    EngineDiedError,
    EngineUnavailableError,
    RunCancelledError,
    TransformersLsError,
    UsageError,
)
from transformers_ls_worker import wire

__all__ = ["WorkerProcess", "WorkerRun"]

logger = logging.getLogger(__name__)

_PROMPT_CHARACTERS = wire.MAX_FRAME_BYTES // 13
"""JSON in ASCII writes a character as twelve bytes at most; the rest of a frame is small."""

_LONGEST_LINE = 1024 * 1024
"""The worker's frames are short; a longer line is somebody's garbage."""

RunFrame: TypeAlias = wire.Stage | wire.Delta | wire.RowEnd | wire.Output | wire.Done


class WorkerRun:
    """A run that the worker has: its frames, until the one that ends it."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.aborting = False
        self.begun = False
        """Whether the worker has said anything about it."""
        self._frames: asyncio.Queue[RunFrame | TransformersLsError] = asyncio.Queue()

    def put(self, item: RunFrame | TransformersLsError) -> None:
        """Hand over the next frame, or the error that ended the run."""
        self.begun = self.begun or not isinstance(item, EngineDiedError)
        self._frames.put_nowait(item)

    async def next(self) -> RunFrame:
        """Return the next frame; raise the error that ended the run."""
        item = await self._frames.get()
        if isinstance(item, TransformersLsError):
            raise item
        return item


class WorkerProcess:
    """Speaks with a worker from its start to its end; it is used once.

    Args:
        argv: The command that starts it.
        start_seconds: How long it may take until it is ready.
        abort_seconds: How long it may take to confirm an abort before it is killed.
        end_seconds: How long it may take to end after each step: asked, terminated, killed.
        on_change: Called when a run began or ended, and when the process ended.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        start_seconds: float,
        abort_seconds: float,
        end_seconds: float,
        on_change: Callable[[], None],
    ) -> None:
        self.ready: wire.Ready | None = None
        self.runs: dict[str, WorkerRun] = {}
        self.ended = False
        self.exit_error: TransformersLsError | None = None
        """Why it ended, when nobody asked it to."""
        self._argv = argv
        self._start_seconds = start_seconds
        self._abort_seconds = abort_seconds
        self._end_seconds = end_seconds
        self._on_change = on_change
        self._closing = False
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_stderr = ""
        self._handshake: asyncio.Future[wire.Ready] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it lives."""
        return None if self._process is None or self.ended else self._process.pid

    async def start(self) -> wire.Ready:
        """Start the process and wait until it can take runs.

        Raises:
            EngineUnavailableError: It cannot be started; the message says what to do.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE,
                env=_environment(),
            )
        except OSError as error:
            raise EngineUnavailableError(
                f"{self._argv[0]} cannot be started: {error.strerror}.",
                "Check which Python interpreter the settings name.",
            ) from error
        self._handshake = asyncio.get_running_loop().create_future()
        errors = self._spawn(self._drain_stderr(self._process.stderr))
        self._spawn(self._read(self._process, errors))
        self.send(wire.Hello())
        try:
            self.ready = await asyncio.wait_for(self._handshake, self._start_seconds)
        except TimeoutError:
            await self.close(gently=False)
            raise EngineUnavailableError(
                f"The worker was not ready within {self._start_seconds:g} seconds.",
                "Try again: the first import of torch is the slowest. If it stays so, run "
                "`transformers-ls doctor` or look at the log.",
            ) from None
        except BaseException:
            await self.close(gently=False)
            raise
        return self.ready

    def begin(self, request: wire.Generate | wire.Infer) -> WorkerRun:
        """Give the worker a run; it begins them in the order in which they come."""
        run = self.runs[request.run_id] = WorkerRun(request.run_id)
        if self.ended:
            self._end_run(request.run_id, self.exit_error or death(None))
        elif sum(map(len, _texts(request))) > _PROMPT_CHARACTERS:
            # The worker would not read the frame, and nobody would learn of it.
            self._end_run(request.run_id, UsageError("The text is too long.", "Select less."))
        else:
            self.send(request)
            self._on_change()
        return run

    def abort(self, run_id: str) -> None:
        """Ask the worker to end a run; it is killed when it does not confirm in time."""
        run = self.runs.get(run_id)
        if run is not None and not run.aborting:
            run.aborting = True
            self.send(wire.Abort(run_id))
            self._spawn(self._watch_abort(run_id))

    def send(self, message: wire.ToWorker) -> None:
        """Queue a frame for the worker; what a dead one gets is dropped."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(wire.encode(message))

    async def close(self, *, gently: bool = True) -> None:
        """End the process and wait for its end: asked first, then terminated, then killed."""
        process, self._closing = self._process, True
        if process is None:
            return
        steps = [process.terminate, process.kill]
        if gently:
            steps.insert(0, lambda: self.send(wire.Shutdown()))
        for step in steps:
            with contextlib.suppress(ProcessLookupError):
                step()
            _, pending = await asyncio.wait(self._tasks or {_done()}, timeout=self._end_seconds)
            if not pending:
                break

    async def _read(self, process: asyncio.subprocess.Process, errors: asyncio.Task[None]) -> None:
        """Route the worker's frames until its end, then end all that waited for it."""
        stream = process.stdout
        assert stream is not None
        broken = 0
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # Longer than the limit; asyncio has thrown it away.
                line = b"\n"
            if not line:
                break
            try:
                self._route(wire.decode(line))
            except wire.BrokenFrameError as error:
                broken += 1
                if broken == 1:
                    logger.warning("the worker wrote a broken frame: %s", error)
        # A grandchild may hold standard error open; the worker's own last words are there by now.
        await asyncio.wait({errors}, timeout=self._end_seconds)
        try:
            returncode = await asyncio.wait_for(process.wait(), self._end_seconds)
        except TimeoutError:  # It lives on without a pipe: nobody can speak with it any more.
            process.kill()
            returncode = await process.wait()
        self._ended(returncode)

    def _route(self, message: object) -> None:
        if isinstance(message, wire.Ready):
            self._greet(message)
        elif isinstance(message, wire.Failed):
            if message.run_id in self.runs:
                self._end_run(message.run_id, failure(message))
            elif not message.run_id and self._handshake is not None and not self._handshake.done():
                self._handshake.set_exception(failure(message))
            else:
                logger.warning("the worker says: %s %s", message.code, message.message)
        elif isinstance(message, wire.Done):
            aborted = RunCancelledError("The run was stopped.")
            self._end_run(message.run_id, aborted if message.finish_reason == "abort" else message)
        elif isinstance(message, wire.Stage | wire.Delta | wire.RowEnd | wire.Output):
            run = self.runs.get(message.run_id)
            if run is not None:
                run.put(message)

    def _greet(self, ready: wire.Ready) -> None:
        if self._handshake is None or self._handshake.done():
            return
        if ready.wire_version == wire.WIRE_VERSION:
            self._handshake.set_result(ready)
            return
        self._handshake.set_exception(
            EngineUnavailableError(
                f"The worker speaks version {ready.wire_version} of the wire, this server "
                f"version {wire.WIRE_VERSION}.",
                f"Install the same version of transformers-ls for {self._argv[0]}.",
            )
        )

    def _end_run(self, run_id: str, ending: wire.Done | TransformersLsError) -> None:
        run = self.runs.pop(run_id, None)
        if run is not None:
            run.put(ending)
            self._on_change()

    def _ended(self, returncode: int) -> None:
        self.ended = True
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_exception(self._start_error(returncode))
        elif not self._closing:
            self.exit_error = death(returncode)
            logger.warning("the worker ended: %s", describe_exit(returncode))
        for run_id in list(self.runs):
            self._end_run(run_id, self.exit_error or RunCancelledError("The worker was stopped."))
        self._on_change()

    def _start_error(self, returncode: int) -> EngineUnavailableError:
        if "No module named" in self._last_stderr:
            message = f"{self._argv[0]} cannot run the worker: {self._last_stderr}."
            return EngineUnavailableError(message, WORKER_HINT)
        detail = f": {self._last_stderr}" if self._last_stderr else ""
        return EngineUnavailableError(
            f"The worker ended while it started ({describe_exit(returncode)}){detail}",
            "Run `transformers-ls doctor` to see what this machine lacks.",
        )

    async def _watch_abort(self, run_id: str) -> None:
        """Kill a worker that does not confirm an abort: a wedged one would block all later runs."""
        deadline = asyncio.get_running_loop().time() + self._abort_seconds
        while run_id in self.runs and not self.ended:
            if asyncio.get_running_loop().time() > deadline:
                logger.warning("the worker did not confirm an abort and is killed")
                if self._process is not None:
                    with contextlib.suppress(ProcessLookupError):
                        self._process.kill()
                return
            await asyncio.sleep(0.05)

    async def _drain_stderr(self, stream: asyncio.StreamReader | None) -> None:
        """Keep the worker's standard error from filling up; libraries write there."""
        assert stream is not None
        while chunk := await stream.read(65536):
            for line in chunk.decode(errors="replace").splitlines():
                if line.strip():
                    self._last_stderr = line.strip()[:300]
                    logger.debug("worker: %s", line)

    def _spawn(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _texts(request: wire.Generate | wire.Infer) -> tuple[str, ...]:
    return request.prompts if isinstance(request, wire.Generate) else request.texts


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _environment() -> dict[str, str]:
    """Return the worker's environment: it never asks the network for anything."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": os.environ.get("TRANSFORMERS_VERBOSITY", "error"),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }

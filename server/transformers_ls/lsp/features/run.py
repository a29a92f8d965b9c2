"""`transformers/run` and `transformers/cancel`: tasks that stream to the client."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from transformers_ls.lsp.own_tasks import tasks_for
from transformers_ls.lsp.run_messages import (
    CANCEL,
    RUN,
    RUN_DELTA,
    RUN_STAGE,
    TASKS,
    CancelParams,
    CancelResult,
    RunDelta,
    RunParams,
    RunResult,
    RunStage,
    TaskInfo,
    TasksParams,
    TasksResult,
)

if TYPE_CHECKING:
    from transformers_ls.engines.base import Stage
    from transformers_ls.lsp.server import TransformersServer

# About thirty a second: each notification is a write on the event loop, and a screen shows no more.
_INTERVAL_SECONDS = 1 / 30


def register(server: TransformersServer) -> None:
    """Add the handlers of the streaming run requests."""

    @server.feature(RUN)
    async def on_run(params: RunParams) -> RunResult:
        from transformers_ls.lsp.selections import select
        from transformers_ls.lsp.task_runs import run_on_document

        selection = await select(server, params)
        run_id = params.run_id or str(uuid.uuid4())
        stream = DeltaStream(server, run_id)

        def on_stage(stage: Stage) -> None:
            notice = RunStage(
                *(run_id, stage.name, stage.message, stage.percent),
                done_bytes=stage.done_bytes,
                total_bytes=stage.total_bytes,
            )
            server.protocol.notify(RUN_STAGE, notice)

        try:
            return await server.runs.run(
                run_id,
                lambda: run_on_document(
                    server, run_id, selection, on_delta=stream.add, on_stage=on_stage
                ),
            )
        finally:
            stream.flush()

    @server.feature(TASKS)
    async def on_tasks(params: TasksParams) -> TasksResult:
        found = await tasks_for(params.text_document.uri)
        tasks = [
            TaskInfo(task.id, task.title, task.description, task.result, list(task.asks))
            for task in found.tasks.values()
        ]
        return TasksResult(tasks, list(found.problems))

    @server.feature(CANCEL)
    async def on_cancel(params: CancelParams) -> CancelResult:
        return CancelResult(server.runs.cancel(params.run_id))


class DeltaStream:
    """Sends a run's text in order, several deltas in one notification when they come fast."""

    def __init__(self, server: TransformersServer, run_id: str) -> None:
        self._server = server
        self._run_id = run_id
        self._pending: list[str] = []
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, text: str) -> None:
        """Send the first text at once, and what follows within the interval together."""
        self._pending.append(text)
        if self._timer is None:
            self._send()
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL_SECONDS, self._due)

    def flush(self) -> None:
        """Send what is left; the stream is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send()

    def _due(self) -> None:
        self._timer = None
        if self._pending:
            self._send()
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL_SECONDS, self._due)

    def _send(self) -> None:
        if self._pending:
            delta = RunDelta(self._run_id, self._seq, "".join(self._pending))
            self._pending.clear()
            self._seq += 1
            self._server.protocol.notify(RUN_DELTA, delta)

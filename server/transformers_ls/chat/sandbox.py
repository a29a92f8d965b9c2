"""Render chat templates in a process that may be killed.

A template is a program by a stranger. It runs in a child process with limits on time, memory and
output, without files or sockets; a child that cannot stop by itself is killed and replaced. One
render at a time; the others wait in line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

from transformers_ls.chat import frames
from transformers_ls.chat.failures import (
    RendererDiedError,
    TemplateRefusedError,
    died,
    not_json,
    refused,
    too_large,
    unavailable,
    went_over,
)
from transformers_ls.chat.limits import Limits, limit_of_signal
from transformers_ls.chat.process import RendererEndedError, RenderProcess
from transformers_ls.errors import TemplateError, TemplateLimitError, TransformersLsError
from transformers_ls.text.steps import begin, run

__all__ = ["RenderRequest", "Rendered", "Sandbox", "Study"]

Reply = dict[str, Any] | TemplateError

_DYING_SECONDS: Final = 0.25
"""A renderer that ends this soon was killed while it was idle: another one gets its jobs."""
_AT_ONCE: Final = 4_096
"""The cost, in characters for a parser, of what is written by the event loop itself: some 1 ms."""
_MAX_REQUEST_BYTES: Final = 256 * 2**20


@dataclass(frozen=True)
class RenderRequest:
    """What `tokenizer.apply_chat_template(messages, tokenize=False, …)` would be called with.

    `kwargs` are more arguments for it or for the template (`enable_thinking`, `documents`,
    `continue_final_message` …); all values are JSON values. `now` pins `strftime_now`.
    `generation_spans` asks for the spans that the template marks with `{% generation %}`.
    """

    template: str
    messages: Sequence[Mapping[str, Any]]
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    tools: Sequence[Any] | None = None
    add_generation_prompt: bool = True
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    now: datetime | None = None
    generation_spans: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """The prompt, and which of it the template marks as generated (when that was asked for)."""

    text: str
    generation_spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """A chat's prompt, or why there is none, and the message where something begins.

    `at` is the first message that a template refuses, or after which the prompt of a turn no longer
    begins as the one before; None where there is no such message.
    """

    text: str | None
    refusal: TemplateRefusedError | None
    at: int | None


class Sandbox:
    """One rendering process, started when first needed and kept warm.

    Use it from one event loop; `close` it at the end.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._line = asyncio.Lock()
        self._process: RenderProcess | None = None
        self._ids = count(1)
        self._exchanges: set[asyncio.Task[list[Reply]]] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The id of the process that runs templates, if there is one."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the child ahead of the first render."""
        async with self._line:
            await self._ready_process()

    async def render(self, request: RenderRequest) -> Rendered:
        """Render a chat.

        Raises:
            TemplateRaisedError: The template refused the messages, or is not valid.
            TemplateLimitError: It broke a limit.
        """
        reply = await self._ask(request, "spans" if request.generation_spans else "text")
        spans = tuple((int(start), int(end)) for start, end in reply["spans"])
        return Rendered(str(reply["text"]), spans)

    async def parts(
        self, request: RenderRequest, known: Sequence[int | None] = ()
    ) -> tuple[list[int | None], str | None]:
        """Find where each message's part of the prompt ends, and what opens a turn of the model.

        What the template writes before the first message belongs to its part; what it writes after
        the last one (a generation prompt) belongs to none. It costs a render for each message whose
        end is not in `known` (-1 there: not to be looked for), and three more.

        Returns:
            The ends, None where not known, and the opening, None where the template shows none.

        Raises:
            TemplateRaisedError: The template refused the messages, or is not valid.
            TemplateLimitError: The renders together broke a limit.
        """
        reply = await self._ask(request, "cuts", known=list(known))
        return reply["cuts"], reply["opening"]

    async def variables(self, template: str) -> tuple[str, ...]:
        """Return the names that a template reads from outside of it, in order.

        Raises:
            TemplateRaisedError: The template is not valid.
            TemplateLimitError: It broke a limit.
        """
        reply = await self._ask(RenderRequest(template, []), "variables")
        return tuple(reply["variables"])

    async def study(
        self, requests: Sequence[RenderRequest], *, prefixes: bool = True
    ) -> list[Study | TemplateError]:
        """Render chats with what `inspect` wants to know of each, all in one round trip.

        All must have the same template, special tokens and clock, those of the first. `prefixes`
        says whether the prompts of a chat's turns are compared, which costs a render for each.

        Raises:
            UsageError: One holds values that are not JSON.
        """
        replies = await self._ask_all(requests, "study", prefixes=prefixes)
        return [
            reply
            if isinstance(reply, TemplateError)
            else Study(
                reply.get("text"),
                refused(reply["raised"]) if "raised" in reply else None,
                reply["at"],
            )
            for reply in replies
        ]

    async def close(self) -> None:
        """End the child; a render in progress fails, whether somebody still waits for it or not."""
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            await process.end()
        if self._exchanges:
            await asyncio.wait(self._exchanges)

    async def _ask(self, request: RenderRequest, want: str, **more: Any) -> dict[str, Any]:
        (reply,) = await self._ask_all([request], want, **more)
        if isinstance(reply, TransformersLsError):
            raise reply
        if "raised" in reply:
            raise refused(reply["raised"])
        return reply

    async def _ask_all(
        self, requests: Sequence[RenderRequest], want: str, **more: Any
    ) -> list[Reply]:
        if not requests:
            return []
        first = requests[0]
        shared = {
            "template": first.template,
            "special_tokens": dict(first.special_tokens),
            "now": first.now.isoformat() if first.now else None,
            "want": want,
            "careful": len(requests) == 1,
            **more,
        }
        jobs = [
            {
                "messages": list(request.messages),
                "tools": None if request.tools is None else list(request.tools),
                "add_generation_prompt": request.add_generation_prompt,
                "kwargs": dict(request.kwargs),
                "id": next(self._ids),
            }
            for request in requests
        ]
        await self._line.acquire()
        # A caller that gives up (the next key was typed) leaves the exchange to end by itself:
        # question and answer stay in step, and the child stays warm.
        exchange = asyncio.ensure_future(self._exchange(shared, jobs))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanged)
        return await asyncio.shield(exchange)

    def _exchanged(self, exchange: asyncio.Task[list[Reply]]) -> None:
        self._exchanges.discard(exchange)
        self._line.release()

    async def _exchange(self, shared: dict[str, Any], jobs: list[dict[str, Any]]) -> list[Reply]:
        """Get all answers; after one that broke a limit, another process does the rest.

        Answers to several come in groups. A process that ends takes some of them along, so that
        nobody knows which request was to blame: then they are asked again, carefully.
        """
        loop = asyncio.get_running_loop()
        replies: list[Reply] = []
        frame = await _frame(shared, jobs)
        idle = self._process
        while len(replies) < len(jobs):
            try:
                process = await self._ready_process()
            except TemplateError as error:
                return [*replies, *[error] * (len(jobs) - len(replies))]
            for job in jobs[len(replies) :]:
                asked = loop.time()
                reply = await self._one(process, frame, job["id"])
                was_idle, idle = process is idle and not self._closed, None
                soon = loop.time() - asked < _DYING_SECONDS
                if was_idle and soon and isinstance(reply, RendererDiedError):
                    break
                failed = isinstance(reply, TemplateLimitError)
                if not failed or shared["careful"]:
                    replies.append(reply)
                if failed:
                    shared["careful"] = not shared["careful"] or len(jobs) == 1
                    frame = await _frame(shared, jobs[len(replies) :])
                    break
                frame = b""
        return replies

    async def _one(self, process: RenderProcess, frame: bytes, number: int) -> Reply:
        """Send what is to be sent, and read one answer; a failure ends the renderer."""
        reply = process.next_reply()
        try:
            if reply is None:
                async with asyncio.timeout(self.limits.seconds):
                    if frame:
                        await process.send(frame)
                    reply = await process.read_reply()
                    # An answer to what was asked of a renderer that was believed dead.
                    while 0 < int(reply.get("id", 0)) < number:
                        reply = await process.read_reply()
        except TimeoutError:
            await process.stop_rendering()
            return went_over("time", self.limits)
        except RendererEndedError as ended:
            return self._after(ended.code)
        except (OSError, EOFError, ValueError, TypeError):
            return self._after(await process.farewell())
        if reply.get("id") != number:
            await process.end()
            return died()
        if limit := reply.get("limit"):
            await process.stop_rendering()
            return went_over(limit, self.limits)
        return reply

    def _after(self, code: int | None) -> TemplateLimitError:
        alarm = limit_of_signal(code)
        return went_over(alarm, self.limits) if alarm else died()

    async def _ready_process(self) -> RenderProcess:
        if self._process is not None and self._process.alive:
            try:
                await self._process.ready()
            except TemplateError:
                await self._process.end()
            else:
                return self._process
        self._process = None
        self._be_open()
        process = await RenderProcess.start(self.limits)
        try:
            # It may have been closed meanwhile, and then nobody else would end the process.
            self._be_open()
        except TemplateError:
            await process.end()
            raise
        self._process = process
        return process

    def _be_open(self) -> None:
        if self._closed:
            raise unavailable("it was closed")


async def _frame(shared: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> bytes:
    steps = frames.request_steps(shared, jobs)
    try:
        # The rows of a dataset go in a thread: beside those that read the next ones, 2.5 ms of the
        # event loop's became 5.8.
        done = begin(steps, _AT_ONCE) if len(jobs) == 1 else None
        frame = done.result if done is not None else await asyncio.to_thread(run, steps)
    except (TypeError, ValueError, RecursionError) as error:
        raise not_json() from error
    if len(frame) > _MAX_REQUEST_BYTES:
        raise too_large(_MAX_REQUEST_BYTES)
    return frame

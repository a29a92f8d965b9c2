"""Render chat templates in a process that may be killed.

A template is a program by a stranger. It runs in a child process with limits on time, memory and
output, without files or sockets; a child that cannot stop by itself is killed and the next render
starts another. One render at a time; the others wait in line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final

from transformers_ls.chat import frames
from transformers_ls.chat.failures import died, not_json, refused, too_large, unavailable, went_over
from transformers_ls.chat.limits import Limits, limit_of_signal
from transformers_ls.errors import TemplateError, TransformersLsError

__all__ = ["RenderRequest", "Rendered", "Sandbox"]

_START_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 1.0
_BYTES_PER_CHAR: Final = 6  # A control character as JSON writes it.
_FRAME_ROOM: Final = 8 * 2**20
_MAX_REQUEST_BYTES: Final = 256 * 2**20
_CHILD_ENVIRONMENT: Final = frozenset(
    {"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME", "LANG", "LC_ALL", "LC_TIME", "TZ"}
    | {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE", "LD_LIBRARY_PATH"}
)
"""What the child learns of our environment: where Python lives, and no keys."""


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


class Sandbox:
    """One rendering process, started when first needed and kept warm.

    Use it from one event loop; `close` it at the end.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._line = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._ids = count(1)

    @property
    def pid(self) -> int | None:
        """The process id of the child, if one runs."""
        return self._child.pid if self._child else None

    async def start(self) -> None:
        """Start the child ahead of the first render."""
        async with self._line:
            await self._ready_child()

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

    async def close(self) -> None:
        """End the child; a render in progress fails."""
        await self._kill()

    async def _ask(self, request: RenderRequest, want: str, **more: Any) -> dict[str, Any]:
        number = next(self._ids)
        values = {
            "template": request.template,
            "messages": list(request.messages),
            "special_tokens": dict(request.special_tokens),
            "tools": None if request.tools is None else list(request.tools),
            "add_generation_prompt": request.add_generation_prompt,
            "kwargs": dict(request.kwargs),
            "now": request.now.isoformat() if request.now else None,
            "want": want,
            "id": number,
            **more,
        }
        try:
            frame = frames.encode(values)
        except (TypeError, ValueError, RecursionError) as error:
            raise not_json() from error
        if len(frame) > _MAX_REQUEST_BYTES:
            raise too_large(_MAX_REQUEST_BYTES)
        await self._line.acquire()
        # A caller that gives up (the next key was typed) leaves the exchange to end by itself:
        # question and answer stay in step, and the child stays warm.
        exchange = asyncio.ensure_future(self._exchange(frame, number))
        exchange.add_done_callback(lambda _: self._line.release())
        reply = await asyncio.shield(exchange)
        if isinstance(reply, TransformersLsError):
            raise reply
        return reply

    async def _exchange(self, frame: bytes, number: int) -> dict[str, Any] | TransformersLsError:
        try:
            child = await self._ready_child()
        except TemplateError as error:
            return error
        try:
            async with asyncio.timeout(self.limits.seconds):
                reply = await self._talk(child, frame)
        except TimeoutError:
            await self._kill()
            return went_over("time", self.limits)
        except (OSError, EOFError, ValueError):
            await self._bury(child)
            alarm = limit_of_signal(child.returncode)
            return went_over(alarm, self.limits) if alarm else died()
        if reply.get("id") != number:
            await self._kill()
            return died()
        if limit := reply.get("limit"):
            if limit == "memory":
                await self._kill()
            return went_over(limit, self.limits)
        return refused(reply["raised"]) if "raised" in reply else reply

    async def _talk(self, child: asyncio.subprocess.Process, frame: bytes) -> dict[str, Any]:
        if child.stdin is None or child.stdout is None:
            raise EOFError
        if frame:
            child.stdin.write(frame)
            await child.stdin.drain()
        length = frames.length_of(await child.stdout.readexactly(frames.HEADER_BYTES))
        if length > self.limits.output_chars * _BYTES_PER_CHAR + _FRAME_ROOM:
            raise ValueError(length)
        reply = frames.decode(await child.stdout.readexactly(length))
        return reply if isinstance(reply, dict) else {}

    async def _ready_child(self) -> asyncio.subprocess.Process:
        if self._child is not None and self._child.returncode is None:
            return self._child
        environment = {
            name: value for name, value in os.environ.items() if name.upper() in _CHILD_ENVIRONMENT
        }
        # One thread is enough, and each would reserve address space; -P keeps the user's folder,
        # which may hold a json.py, out of the child's imports.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        try:
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "transformers_ls.chat.child"),
                json.dumps(asdict(self.limits)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
            async with asyncio.timeout(_START_SECONDS):
                greeting = await self._talk(self._child, b"")
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            await self._kill()
            raise unavailable(type(error).__name__) from error
        if "failed" in greeting:
            await self._kill()
            raise unavailable(str(greeting["failed"]))
        return self._child

    async def _bury(self, child: asyncio.subprocess.Process) -> None:
        """Let a child that fell silent tell how it ended: a kill first would hide that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await child.wait()
        await self._kill()

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()

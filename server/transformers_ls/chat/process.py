"""The front's side of a rendering process: start it, talk to it, replace it, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from dataclasses import asdict
from typing import Any, Final

from transformers_ls.chat import frames
from transformers_ls.chat.failures import unavailable
from transformers_ls.chat.limits import Limits
from transformers_ls.text.long_json import LONG, read_json

__all__ = ["RenderProcess", "RendererEndedError"]

_START_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 1.0
_BYTES_PER_CHAR: Final = 6  # A control character as JSON writes it.
_FRAME_ROOM: Final = 8 * 2**20
_ENVIRONMENT: Final = frozenset(
    {"PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME", "LANG", "LC_ALL", "LC_TIME", "TZ"}
    | {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE", "LD_LIBRARY_PATH"}
)
"""What the child learns of our environment: where Python lives, and no keys."""


class RendererEndedError(Exception):
    """The process that renders ended, with this exit code (minus the signal, None when not known)."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class RenderProcess:
    """A process that renders, or one that has such a child and replaces it (see `nursery`)."""

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._ready = False
        self._pid = process.pid
        self._raises_others = False
        self._replies: deque[dict[str, Any]] = deque()

    @classmethod
    async def start(cls, limits: Limits) -> RenderProcess:
        """Start one and wait until it is ready.

        Raises:
            TemplateError: It cannot start.
        """
        environment = {
            name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT
        }
        # One thread is enough, and each would reserve address space; -P keeps the user's folder,
        # which may hold a json.py, out of the child's imports.
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "transformers_ls.chat.child"),
                json.dumps(asdict(limits)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise unavailable(type(error).__name__) from error
        started = cls(process, limits)
        try:
            await started.ready()
        except BaseException:
            await started.end()
            raise
        return started

    @property
    def pid(self) -> int | None:
        """The process that runs templates; None when there is none, or not yet."""
        return self._pid if self._ready and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether there is a process to talk to."""
        return self._process.returncode is None

    async def ready(self) -> None:
        """Wait until a renderer is there.

        Raises:
            TemplateError: None comes.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not self._ready:
                    self._take_greeting(await self.read())
        except RendererEndedError:
            raise unavailable("it ended at once") from None
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise unavailable(type(error).__name__) from error

    def _take_greeting(self, greeting: dict[str, Any]) -> None:
        if "failed" in greeting:
            raise unavailable(str(greeting["failed"]))
        if "ready" in greeting:
            self._ready = True
            self._pid = int(greeting.get("pid", self._process.pid))
            self._raises_others = self._pid != self._process.pid

    async def send(self, frame: bytes) -> None:
        """Send a frame; returns when the pipe has taken it."""
        if self._process.stdin is None:
            raise EOFError
        self._process.stdin.write(frame)
        await self._process.stdin.drain()

    async def read(self) -> dict[str, Any]:
        """Read a frame.

        Raises:
            RendererEndedError: The renderer ended; another one will be `ready` soon, or none.
            ValueError: What comes is no frame.
            EOFError, OSError: The pipe is closed.
        """
        if self._process.stdout is None:
            raise EOFError
        length = frames.length_of(await self._process.stdout.readexactly(frames.HEADER_BYTES))
        if length > self._limits.output_chars * _BYTES_PER_CHAR + _FRAME_ROOM:
            raise ValueError(length)
        payload = await self._process.stdout.readexactly(length)
        short = length < LONG
        frame = frames.decode(payload) if short else await asyncio.to_thread(read_json, payload)
        if not isinstance(frame, dict):
            raise ValueError(type(frame))  # noqa: TRY004 - bad bytes, not a bad argument.
        if "ended" in frame:
            self._ready = False
            self._replies.clear()
            raise RendererEndedError(int(frame["ended"]))
        return frame

    def next_reply(self) -> dict[str, Any] | None:
        """Return an answer that came together with the one before, if there is one."""
        return self._replies.popleft() if self._replies else None

    async def read_reply(self) -> dict[str, Any]:
        """Read an answer; see `read` for what it raises."""
        while not self._replies:
            replies = (await self.read()).get("replies")
            if not isinstance(replies, list) or not all(isinstance(r, dict) for r in replies):
                raise ValueError("replies")
            self._replies.extend(replies)
        return self._replies.popleft()

    async def stop_rendering(self) -> None:
        """End the renderer; what it was doing is lost."""
        if not self._ready:
            return
        # Half of a frame in the pipe would be read by the next renderer as the beginning of one.
        stdin = self._process.stdin
        unsent = stdin is None or stdin.transport.get_write_buffer_size() > 0
        if not self._raises_others or unsent or not self.alive:
            await self.end()
            return
        from transformers_ls.chat.nursery import REPLACE

        try:
            self._process.send_signal(REPLACE)
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while True:
                    await self.read()
        except RendererEndedError:
            return
        except (OSError, EOFError, ValueError, TimeoutError):
            await self.end()

    async def farewell(self) -> int | None:
        """Let a process that fell silent tell how it ended: a kill first would hide that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._process.wait()
        code = self._process.returncode
        await self.end()
        return code

    async def end(self) -> None:
        """End everything."""
        self._ready = False
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._raises_others:
                self._process.terminate()  # It ends its renderer first.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_FAREWELL_SECONDS):
                        await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
        await self._process.wait()

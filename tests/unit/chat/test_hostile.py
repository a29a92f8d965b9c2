"""Hostile templates end in a clear message, in time, and the next render works."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.chat.hostile import HOSTILE
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateLimitError, TemplateRaisedError

# Processor time is short, so that the corpus stays short; time on the wall is long, so that a busy
# machine changes nothing.
LIMITS = Limits(seconds=60, cpu_seconds=0.25, memory_bytes=128 * 2**20, output_chars=20_000_000)
GOOD = RenderRequest("{{ messages[0].content }}!", [{"role": "user", "content": "hello"}])
WORDS = {
    "computed longer": "time",
    "needed more": "memory",
    "wrote more": "output",
    "deeply": "recursion",
}


async def ending(sandbox, template):
    try:
        await sandbox.render(RenderRequest(template, GOOD.messages))
    except TemplateRaisedError as error:
        return "refused" if len(error.message) < 3_000 else "refused at length"
    except TemplateLimitError as error:
        return next((kind for words, kind in WORDS.items() if words in error.message), str(error))
    return "text"


async def drain(queue, wrong):
    sandbox = Sandbox(LIMITS)
    try:
        while queue:
            name, (template, allowed) = queue.pop()
            await sandbox.start()
            began = time.monotonic()
            got = await ending(sandbox, template)
            print(f"{name:40} {got:12} {time.monotonic() - began:6.2f} s")
            endings = set(allowed.split("|"))
            if endings & {"memory", "output", "recursion"}:
                endings.add("time")
            if got not in endings:
                wrong.append((name, got, allowed))
            if (await sandbox.render(GOOD)).text != "hello!":
                wrong.append((name, "the next render failed", ""))
    finally:
        await sandbox.close()


async def test_every_hostile_template_ends_within_its_limit_and_the_next_render_works():
    queue, wrong = list(HOSTILE.items()), []
    front = psutil.Process()
    before = front.memory_info().rss
    await asyncio.gather(drain(queue, wrong), drain(queue, wrong))
    assert not wrong
    assert front.memory_info().rss - before < 64 * 2**20
    assert not [
        child for child in front.children() if "transformers_ls.chat.child" in child.cmdline()
    ]


async def test_a_render_that_is_over_the_limit_is_killed_and_its_process_gone():
    sandbox = Sandbox(LIMITS)
    await sandbox.start()
    pid = sandbox.pid
    try:
        assert await ending(sandbox, HOSTILE["a power tower"][0]) == "time"
        assert not psutil.pid_exists(pid)
    finally:
        await sandbox.close()


@pytest.mark.skipif(
    sys.platform != "linux", reason="psutil reads another process's limits on Linux"
)
async def test_the_child_holds_no_key_and_can_open_no_file(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    sandbox = Sandbox(LIMITS)
    try:
        await sandbox.render(GOOD)
        child = psutil.Process(sandbox.pid)
        assert "hf_secret" not in str(child.environ())
        assert child.rlimit(psutil.RLIMIT_NOFILE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        opened = {Path(file.path).name for file in child.open_files()}
        assert not opened, opened
        assert not child.net_connections()
    finally:
        await sandbox.close()

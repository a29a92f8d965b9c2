"""`transformers-ls run`: a task on a text, streamed to stdout."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import aclosing
from pathlib import Path

from transformers_ls.cli._input import read_text
from transformers_ls.engines.base import Stage
from transformers_ls.errors import UsageError
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.choose import choose_model
from transformers_ls.tasks.own import find_tasks
from transformers_ls.tasks.request import TaskRequest
from transformers_ls.tasks.runner import TaskRun

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.add_argument("task", metavar="TASK", help="see `transformers-ls tasks`")
    parser.add_argument("path", nargs="?", default="-", metavar="PATH", help="a text, or - (stdin)")
    parser.add_argument("-m", "--model", metavar="MODEL")
    parser.add_argument("--to", metavar="LANG", help="the language of a translation")
    parser.add_argument("--max-new-tokens", type=int, metavar="N", help="256 when not given")
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Run one task."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from transformers_ls.chat.prompt import PromptRenderer
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.engines.local import LocalEngine

    request = _request(arguments)
    sandbox = Sandbox()
    engine = LocalEngine(render_chat=PromptRenderer(sandbox))

    def on_stage(stage: Stage) -> None:
        # Once text stands on the terminal, a stage would wipe its last line.
        if not task_run.text:
            _show_stage(stage)

    task_run = TaskRun(engine, request, on_stage)
    try:
        async with aclosing(task_run.deltas()) as deltas:
            async for delta in deltas:
                if not arguments.json:
                    print(delta, end="", flush=True)
    finally:
        await engine.close()
        await sandbox.close()
    facts = task_run.facts
    numbers = {
        "model": facts.model,
        "destination": facts.destination,
        "promptTokens": facts.prompt_tokens,
        "completionTokens": facts.completion_tokens,
        "timeToFirstToken": round(facts.time_to_first_token, 3),
        "tokensPerSecond": round(facts.tokens_per_second, 1),
        "finishReason": facts.finish_reason,
        "parts": facts.parts,
        "kept": facts.kept,
    }
    if arguments.json:
        answer = {"task": request.task.id, "text": task_run.text, **numbers}
        json.dump(answer, sys.stdout, indent=2, ensure_ascii=False)
    print()
    if facts.finish_reason == "length":
        limit = request.max_new_tokens
        print(f"Stopped at {limit} tokens; --max-new-tokens sets the limit.", file=sys.stderr)
    if facts.kept:
        print(
            f"{facts.kept} of {facts.parts} parts stayed as they were: the model repeated them, or "
            "lost code or links of them.",
            file=sys.stderr,
        )
    print(
        f"{facts.completion_tokens} tokens · {facts.tokens_per_second:.1f} tokens/s · first after "
        f"{facts.time_to_first_token:.2f} s · {facts.model} · {facts.destination}",
        file=sys.stderr,
    )
    return 0


def _request(arguments: argparse.Namespace) -> TaskRequest:
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    defaults = Settings()
    place = Path.cwd() if arguments.path == "-" else Path(arguments.path).absolute()
    task = get_task(arguments.task, find_tasks(place).tasks)
    if arguments.to is not None and not (task.needs_language and arguments.to.strip()):
        raise UsageError("--to names the language of a translation, and only of one.")
    text = read_text(arguments.path)
    if not text.strip():
        raise UsageError("There is no text to work on.", "Name a file, or write to standard input.")
    chosen = choose_model(task, defaults.models, arguments.model)
    count = None
    if chosen.may_fill(text):
        count = load_counter(resolve(chosen.name).folder).count
    return TaskRequest(
        task=task,
        text=text,
        model=chosen.name,
        kind=chosen.kind,
        target_language=arguments.to or defaults.translation.target_language,
        max_new_tokens=(
            defaults.generation.max_new_tokens
            if arguments.max_new_tokens is None
            else arguments.max_new_tokens
        ),
        window=chosen.window,
        count=count,
    )


def _show_stage(stage: Stage) -> None:
    if sys.stderr.isatty():
        percent = f" {stage.percent} %" if stage.percent is not None else ""
        print(f"\r\x1b[K{stage.message}{percent}", end="", file=sys.stderr, flush=True)
        if stage.name == "running":
            _clear_stage()


def _clear_stage() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

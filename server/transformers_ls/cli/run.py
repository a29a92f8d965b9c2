"""`transformers-ls run`: a task on a text; what a model writes is streamed to stdout."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from transformers_ls.cli._input import read_text
from transformers_ls.cli._run_output import print_facts, print_findings, print_json
from transformers_ls.engines.base import Stage
from transformers_ls.errors import UsageError
from transformers_ls.paths import prepared_dir
from transformers_ls.settings import Settings
from transformers_ls.tasks.catalogue import Inputs, Task, get_task
from transformers_ls.tasks.choose import choose_model
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.own import find_tasks
from transformers_ls.tasks.request import Request, make_request
from transformers_ls.tasks.runs import make_run
from transformers_ls.tasks.work import Writing
from transformers_ls.text.languages import language_of_name

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `run`."""
    parser.add_argument("task", metavar="TASK", help="see `transformers-ls tasks`")
    parser.add_argument("path", nargs="?", default="-", metavar="PATH", help="a text, or - (stdin)")
    parser.add_argument("other", nargs="?", metavar="OTHER", help="the text to compare with")
    parser.add_argument("-m", "--model", metavar="MODEL")
    parser.add_argument("--to", metavar="LANG", help="the language of a translation")
    parser.add_argument("--question", metavar="TEXT", help="what to ask about the text")
    parser.add_argument("--labels", metavar="A,B,…", help="what to choose from")
    parser.add_argument("--max-new-tokens", type=int, metavar="N", help="256 when not given")
    parser.add_argument(
        "--cpu-decoder",
        choices=("auto", "torch"),
        default=Settings().local.cpu_decoder,
        help="what writes text without a GPU: `auto` is ONNX Runtime if it is installed",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace) -> int:
    """Run one task."""
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    from transformers_ls.chat.prompt import PromptRenderer
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.engines.local import LocalEngine

    task, request = _request(arguments)
    sandbox = Sandbox()
    folder = None if arguments.cpu_decoder == "torch" else prepared_dir()
    engine = LocalEngine(
        render_chat=PromptRenderer(sandbox),
        prepared=lambda: folder,
    )

    def on_stage(stage: Stage) -> None:
        # Once text stands on the terminal, a stage would wipe its last line.
        if not task_run.text:
            _show_stage(stage)

    def on_delta(delta: str) -> None:
        if not arguments.json:
            print(delta, end="", flush=True)

    task_run = make_run(engine, request, on_stage)
    try:
        await task_run.perform(on_delta)
    finally:
        await engine.close()
        await sandbox.close()
    _clear_stage()
    if arguments.json:
        print_json(task, task_run)
    elif isinstance(task_run, InferenceRun):
        print_findings(task_run)
    else:
        print()
    print_facts(task_run)
    return 0


def _request(arguments: argparse.Namespace) -> tuple[Task, Request]:
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    settings = Settings()
    if (limit := arguments.max_new_tokens) is not None:
        settings = replace(settings, generation=replace(settings.generation, max_new_tokens=limit))
    path = arguments.path
    place = Path.cwd() if path == "-" else Path(path).absolute()
    task = get_task(arguments.task, find_tasks(place).tasks)
    inputs = _inputs(arguments, task)
    text = read_text(path)
    if not text.strip():
        raise UsageError("There is no text to work on.", "Name a file, or write to standard input.")
    language_id = "plaintext" if path == "-" else language_of_name(Path(path).name)
    if isinstance(task.work, Writing) and task.work.placement == "docstring":
        from transformers_ls.tasks.docstrings import documented_span

        start, end = documented_span(text, 0, len(text), language_id)
        text = text[start:end]
    chosen = choose_model(task, settings.models, arguments.model)
    if chosen.notice:
        print(chosen.notice, file=sys.stderr)
    count = None
    if chosen.may_fill(text):
        count = load_counter(resolve(chosen.name).tokenizer).count
    request = make_request(
        task,
        text,
        chosen,
        inputs=inputs,
        settings=settings,
        language_id=language_id,
        count=count,
    )
    return task, request


def _inputs(arguments: argparse.Namespace, task: Task) -> Inputs:
    """Read what the user said beside the text; saying what is not asked for is a mistake."""
    for asked, option, value in (
        ("language", "--to", arguments.to),
        ("question", "--question", arguments.question),
        ("labels", "--labels", arguments.labels),
        ("otherRange", "OTHER", arguments.other),
    ):
        if value is not None and not (asked in task.asks and value.strip()):
            raise UsageError(
                f"{option} is of no use for `{task.id}`.",
                "`transformers-ls tasks` says what each task asks for.",
            )
    inputs = Inputs(
        language=arguments.to or "",
        question=arguments.question or "",
        labels=tuple((arguments.labels or "").split(",")),
        other=read_text(arguments.other) if arguments.other else "",
    )
    task.check(inputs)
    return inputs


def _show_stage(stage: Stage) -> None:
    if sys.stderr.isatty():
        percent = f" {stage.percent} %" if stage.percent is not None else ""
        print(f"\r\x1b[K{stage.message}{percent}", end="", file=sys.stderr, flush=True)
        if stage.name == "running" and stage.percent is None:
            _clear_stage()


def _clear_stage() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)

"""`transformers-ls check`: what goes wrong with chats under a model's template, for CI."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers_ls import __version__
from transformers_ls.chat.problems import Problem
from transformers_ls.cli._input import DEFAULT_MODEL, language_of_path, read_text
from transformers_ls.errors import UsageError

if TYPE_CHECKING:
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.chat.template import ChatTemplate
    from transformers_ls.tokens.counter import Counter

__all__ = ["add_arguments", "run"]

_LANGUAGES = ("json", "jsonl")


@dataclass(frozen=True, slots=True)
class _Found:
    """A problem in a file; line and column count from 1."""

    path: str
    line: int
    column: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class _Checker:
    template: ChatTemplate
    counter: Counter
    sandbox: Sandbox
    max_tokens: int | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `check`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="JSON or JSONL files of chats")
    parser.add_argument("-m", "--model", default=DEFAULT_MODEL, metavar="MODEL")
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="the longest prompt a chat may make"
    )
    parser.add_argument("--format", choices=["text", "json", "sarif"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Check every file; 0 when all is well, 1 when there are problems."""
    for path in arguments.paths:
        if language_of_path(path) not in _LANGUAGES:
            raise UsageError(f"{path} is no .json or .jsonl file.", "Only chats are checked.")
    found = asyncio.run(_check_all(arguments))
    {"text": _print_text, "json": _print_json, "sarif": _print_sarif}[arguments.format](found)
    return 1 if found else 0


async def _check_all(arguments: argparse.Namespace) -> list[_Found]:
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.chat.template import find_template
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    folder = resolve(arguments.model).folder
    template = find_template(folder, model=arguments.model)
    sandbox = Sandbox()
    checker = _Checker(template, load_counter(folder), sandbox, arguments.max_tokens)
    try:
        return [found for path in arguments.paths async for found in _check(path, checker)]
    finally:
        await sandbox.close()


async def _check(path: str, checker: _Checker) -> AsyncIterator[_Found]:
    from transformers_ls.chat.conversation import find_conversations
    from transformers_ls.chat.inspect import inspect
    from transformers_ls.chat.sandbox import RenderRequest
    from transformers_ls.errors import TemplateError

    text = read_text(path)
    starts = _line_starts(text)
    for chat in find_conversations(language_of_path(path), text):
        request = RenderRequest(
            template=checker.template.source,
            special_tokens=checker.template.special_tokens,
            messages=chat.as_chat(),
            tools=chat.tools,
            add_generation_prompt=False,
            kwargs=chat.template_kwargs,
        )
        problems = await inspect(
            chat, text, request, checker.sandbox, checker.counter.special_tokens
        )
        if checker.max_tokens is not None:
            try:
                prompt = (await checker.sandbox.render(request)).text
            except TemplateError:
                prompt = ""  # It is among the problems already.
            tokens = checker.counter.count(prompt)
            if tokens > checker.max_tokens:
                message = f"The prompt has {tokens:,} tokens, more than {checker.max_tokens:,}."
                problems.append(Problem("too-long", "error", message, chat.start, chat.end))
        for problem in problems:
            line = bisect_right(starts, problem.start)
            yield _Found(path, line, problem.start - starts[line - 1] + 1, problem)


def _line_starts(text: str) -> list[int]:
    return [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]


def _print_text(found: Sequence[_Found]) -> None:
    for item in found:
        problem = item.problem
        place = f"{item.path}:{item.line}:{item.column}"
        print(f"{place}: {problem.severity}: {problem.message} [{problem.code}]")
    files = len({item.path for item in found})
    summary = f"{len(found)} problems in {files} files." if found else "No problems."
    print(summary, file=sys.stderr)


def _print_json(found: Sequence[_Found]) -> None:
    problems = [
        {
            "path": item.path,
            "line": item.line,
            "column": item.column,
            "code": item.problem.code,
            "severity": item.problem.severity,
            "message": item.problem.message,
        }
        for item in found
    ]
    json.dump({"problems": problems}, sys.stdout, indent=2, ensure_ascii=False)
    print()


def _print_sarif(found: Sequence[_Found]) -> None:
    """Write SARIF 2.1.0, which code hosts show beside the lines of a change.

    Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
    """
    levels = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
    rules = [{"id": code} for code in sorted({item.problem.code for item in found})]
    driver = {"name": "transformers-ls", "version": __version__, "rules": rules}
    results: list[dict[str, Any]] = [
        {
            "ruleId": item.problem.code,
            "level": levels[item.problem.severity],
            "message": {"text": item.problem.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": Path(item.path).as_posix()},
                        "region": {"startLine": item.line, "startColumn": item.column},
                    }
                }
            ],
        }
        for item in found
    ]
    report = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }
    json.dump(report, sys.stdout, indent=2, ensure_ascii=False)
    print()

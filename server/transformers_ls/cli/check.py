"""`transformers-ls check`: what goes wrong with chats under a model's template, for CI."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers_ls import __version__
from transformers_ls.chat.problems import Problem
from transformers_ls.cli._input import DEFAULT_MODEL, language_of_path, read_text
from transformers_ls.errors import TransformersLsError, UsageError

if TYPE_CHECKING:
    from transformers_ls.chat.conversation import Conversation
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
    """Check every file; 0 when all is well, 1 when there are problems, 2 when it cannot be said."""
    for path in arguments.paths:
        if language_of_path(path) not in _LANGUAGES:
            raise UsageError(f"{path} is no .json or .jsonl file.", "Only chats are checked.")
    if arguments.max_tokens is not None and arguments.max_tokens < 1:
        raise UsageError("--max-tokens must be at least 1.")
    try:
        found, chats = asyncio.run(_check_all(arguments))
    except TransformersLsError as error:
        # CI must be able to tell a missing model from a bad dataset.
        raise UsageError(error.message, error.hint) from None
    {"text": _print_text, "json": _print_json, "sarif": _print_sarif}[arguments.format](found)
    problems = f"{len(found)} problems" if len(found) != 1 else "1 problem"
    print(f"{chats:,} chats, {problems if found else 'no problems'}.", file=sys.stderr)
    return 1 if found else 0


async def _check_all(arguments: argparse.Namespace) -> tuple[list[_Found], int]:
    from transformers_ls.chat.sandbox import Sandbox
    from transformers_ls.chat.template import find_template
    from transformers_ls.hub.resolve import resolve
    from transformers_ls.tokens.tokenizers import load_counter

    folder = resolve(arguments.model).folder
    template = find_template(folder, model=arguments.model)
    sandbox = Sandbox()
    checker = _Checker(template, load_counter(folder), sandbox, arguments.max_tokens)
    try:
        found: list[_Found] = []
        chats = 0
        for path in arguments.paths:
            problems, count = await _check(path, checker)
            found += problems
            chats += count
        return found, chats
    finally:
        await sandbox.close()


async def _check(path: str, checker: _Checker) -> tuple[list[_Found], int]:
    """Return the problems of a file, in order, and how many chats it holds."""
    from transformers_ls.chat.conversation import find_conversations

    text = read_text(path)
    language = language_of_path(path)
    chats = find_conversations(language, text)
    # An editor takes what parses of a half-typed chat; a dataset has to be whole.
    problems = list(_malformed(text, [chat.start for chat in chats], language))
    broken = {problem.start for problem in problems}
    for chat in chats:
        if not any(chat.start <= at < chat.end for at in broken):
            problems += await _check_chat(chat, text, checker)
    starts = _line_starts(text)
    found = []
    for problem in sorted(problems, key=lambda problem: problem.start):
        line = bisect_right(starts, problem.start)
        found.append(_Found(path, line, problem.start - starts[line - 1] + 1, problem))
    return found, len(chats)


async def _check_chat(chat: Conversation, text: str, checker: _Checker) -> list[Problem]:
    from transformers_ls.chat.inspect import inspect
    from transformers_ls.chat.prompt import conversation_request
    from transformers_ls.errors import TemplateError

    request = conversation_request(checker.template, chat, add_generation_prompt=False)
    problems = await inspect(chat, text, request, checker.sandbox, checker.counter.special_tokens)
    if checker.max_tokens is not None:
        try:
            prompt = (await checker.sandbox.render(request)).text
        except TemplateError:
            return problems  # That it fails is among the problems already.
        tokens = checker.counter.count(prompt)
        if tokens > checker.max_tokens:
            message = f"The prompt has {tokens:,} tokens, more than {checker.max_tokens:,}."
            problems.append(Problem("too-long", "error", message, chat.start, chat.end))
    return problems


def _malformed(text: str, chats: Sequence[int], language: str) -> Iterator[Problem]:
    """Find what is no JSON, and rows without a chat."""
    starts = _line_starts(text) if language == "jsonl" else [0]
    rows = False
    for start, end in pairwise([*starts, len(text) + 1]):
        row = text[start : end - 1]
        if not row.strip():
            continue
        rows = True
        try:
            json.loads(row)
        except json.JSONDecodeError as error:
            at = start + error.pos
            message = f"This is not JSON: {error.msg}."
            yield Problem("invalid-json", "error", message, at, min(at + 1, len(text)))
            continue
        except RecursionError:
            yield Problem("invalid-json", "error", "This is nested too deeply.", start, start + 1)
            continue
        if not any(start <= chat < end for chat in chats):
            yield Problem("no-chat", "error", "There is no chat here.", start, start + len(row))
    if not rows:
        yield Problem("no-chat", "error", "The file is empty.", 0, 0)


def _line_starts(text: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", text))]


def _print_text(found: Sequence[_Found]) -> None:
    for item in found:
        problem = item.problem
        place = f"{item.path}:{item.line}:{item.column}"
        print(f"{place}: {problem.severity}: {problem.message} [{problem.code}]")


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

"""Problems in files, as text, JSON and SARIF."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers_ls import __version__
from transformers_ls.chat.problems import Problem

__all__ = ["Found", "print_json", "print_sarif", "print_text"]


@dataclass(frozen=True, slots=True)
class Found:
    """A problem in a file; line and column count from 1."""

    path: str
    line: int
    column: int
    problem: Problem


def print_text(found: Sequence[Found], _report: dict[str, Any]) -> None:
    """Write a line for each problem, as compilers do."""
    for item in found:
        problem = item.problem
        place = f"{item.path}:{item.line}:{item.column}"
        print(f"{place}: {problem.severity}: {problem.message} [{problem.code}]")


def print_json(found: Sequence[Found], report: dict[str, Any]) -> None:
    """Write the problems and the report."""
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
    json.dump({"problems": problems, "report": report}, sys.stdout, indent=2, ensure_ascii=False)
    print()


def print_sarif(found: Sequence[Found], report: dict[str, Any]) -> None:
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
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"report": report},
    }
    answer = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    json.dump(answer, sys.stdout, indent=2, ensure_ascii=False)
    print()

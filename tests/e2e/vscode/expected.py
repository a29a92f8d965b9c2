"""What the editor must show, computed without this project's code."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

from transformers_ls.paths import data_dir

MODEL = "smollm2-135m"


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(data_dir() / "models" / MODEL / "tokenizer.json"))


def count(text: str) -> int:
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def section(path: Path, heading: str) -> str:
    """The text from a heading to the next one of its level or a higher one."""
    level = len(heading) - len(heading.lstrip("#"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first = lines.index(f"{heading}\n")
    wanted = [lines[first]]
    fenced = False
    for line in lines[first + 1 :]:
        fenced ^= line.startswith("```")
        marks = len(line) - len(line.lstrip("#"))
        if not fenced and 0 < marks <= level:
            break
        wanted.append(line)
    return "".join(wanted).rstrip()


def messages(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))["messages"]
    return found


def constant(path: Path, name: str) -> str:
    """The value of a string constant of a Python file."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(ast.literal_eval(node.value))
    raise AssertionError(name)

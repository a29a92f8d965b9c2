"""One number, wherever it is shown: hover, hint, lens, status bar, command line, transformers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.vscode import expected
from tests.e2e.vscode.workbench import Workbench
from transformers_ls.paths import data_dir

pytestmark = pytest.mark.models


@cache
def reference() -> Callable[[str], int]:
    """Count as a user of transformers does."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(data_dir() / "models" / expected.MODEL)
    return lambda text: len(tokenizer(text, add_special_tokens=False).input_ids)


def command_line(path: str, stdin: str = "") -> int:
    done = subprocess.run(
        [sys.executable, "-m", "transformers_ls", "count", path, "-m", expected.MODEL, "--json"],
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    (file,) = json.loads(done.stdout)["files"]
    assert file["models"][expected.MODEL]["exact"] is True
    return int(file["models"][expected.MODEL]["tokens"])


@dataclass(frozen=True)
class Place:
    """A region of a file: where it is hovered, the line that carries its hint, and its text."""

    file: str
    line: int
    column: int
    hint: str
    text: Callable[[Path], str]


PLACES = [
    Place("notes.md", 7, 1, "## Weather", lambda path: expected.section(path, "## Weather")),
    Place(
        *("chat.json", 4, 50, '    {"role": "user"'),
        lambda path: expected.messages(path)[1]["content"],
    ),
    Place("prompts.py", 3, 20, "SYSTEM", lambda path: expected.constant(path, "SYSTEM")),
]


def counted(lens: str) -> bool:
    # It says that the tokenizer is loading before it says a number.
    return expected.MODEL in lens and " tokens" in lens


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.file)
def test_all_counts_agree(workbench: Workbench, place: Place) -> None:
    path = workbench.open(place.file)
    text = path.read_bytes().decode()
    here, document = place.text(path), reference()(text)
    inside = reference()(here)
    assert inside != document

    line = workbench.wait_for(
        "the hint",
        lambda: line if "tokens" in (line := workbench.line(place.hint)) else None,
    )
    # A label stands in the line's text, with nothing of the text's own around it.
    hint = re.search(r"(\d[\d,]*) tokens", line)
    assert hint is not None, line
    assert number(hint[1]) == inside

    lens = workbench.wait_for(
        "the lens",
        lambda: next((lens for lens in workbench.lenses() if counted(lens)), None),
    )
    assert number(lens.partition(" tokens")[0]) == document

    workbench.go_to(place.line, place.column)
    workbench.wait_for("the status bar", lambda: f"{document:,} tokens" in workbench.status_bar())

    workbench.command("Show or Focus Hover")
    hover = workbench.wait_for(
        "the hover", lambda: text if expected.MODEL in (text := workbench.hover()) else None
    )
    row = next(line for line in hover.splitlines() if line.startswith(expected.MODEL))
    name, region, whole, *_ = row.split("\t")
    assert (name.strip(), number(region), number(whole)) == (expected.MODEL, inside, document)
    workbench.shoot("agreement")

    assert command_line(str(path)) == document
    assert command_line("-", here) == inside

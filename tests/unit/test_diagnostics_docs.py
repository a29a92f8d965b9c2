"""Every code of a problem is documented, and every documented code exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "server" / "transformers_ls"
CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")
# Codes that are put together, or passed on, at run time.
MADE = {"unknown-filter", "unknown-test", "template-refuses", "over-window", "too-long"}


def _codes() -> Iterator[str]:
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    yield code.value


def _documented() -> list[str]:
    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    return re.findall(r"^### (\S+)$", text, re.MULTILINE)


def test_every_code_is_documented_once():
    documented = _documented()
    assert len(documented) == len(set(documented))
    assert {*_codes(), *MADE} <= set(documented)


def test_no_code_is_documented_that_does_not_exist():
    table = (SERVER / "chat" / "problems.py").read_text(encoding="utf-8")
    known = {*_codes(), *MADE, *re.findall(r"^    \| ([a-z-]+) \|", table, re.MULTILINE)}
    assert set(_documented()) <= known
    assert all(CODE.fullmatch(code) for code in known - {"code", "---"})


def test_links_inside_of_the_document_lead_somewhere():
    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(_documented())

"""The tokens of a document in colours, in VS Code."""

from __future__ import annotations

import pytest

from tests.e2e.vscode import expected
from tests.e2e.vscode.workbench import Workbench

pytestmark = pytest.mark.models


def _coloured(workbench: Workbench) -> int:
    """How many pieces the colours of extensions are painted in; a token is one for each line."""
    return workbench.page.locator(".view-overlays .cdr[class*='ced-']").count()


def test_tokens_are_coloured_and_follow_typing(workbench: Workbench) -> None:
    path = workbench.open("prompts.py")
    tokens = expected.count(expected.constant(path, "SYSTEM"))
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("SYSTEM"))
    workbench.command("Transformers: Colour Tokens")
    before = workbench.wait_for(
        "coloured tokens", lambda: found if (found := _coloured(workbench)) >= tokens else None
    )
    workbench.shoot("coloured")
    line = next(
        number
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if text.startswith("SYSTEM")
    )
    workbench.go_to(line, len('SYSTEM = "') + 1)
    workbench.page.keyboard.type("one more word ")
    workbench.wait_for("more colours", lambda: _coloured(workbench) > before)
    workbench.shoot("followed")
    workbench.save(path)
    workbench.command("Transformers: Colour Tokens")
    workbench.wait_for("no colours", lambda: _coloured(workbench) == 0)

"""The tokens of a document in colours, and those of a folder in a report, in VS Code."""

from __future__ import annotations

import shutil

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


def test_a_folder_is_counted_from_the_explorer(workbench: Workbench) -> None:
    folder = workbench.folder / "corpus"
    (folder / "deep").mkdir(parents=True)
    texts = {"first.md": "One text of the corpus.\n", "deep/second.md": "And another one.\n" * 9}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    try:
        row = workbench.page.locator(".explorer-folders-view .monaco-list-row", has_text="corpus")
        row.click(button="right")
        entry = workbench.page.locator(".monaco-menu .action-label", has_text="Count Tokens in Fol")
        entry.wait_for()
        workbench.shoot("menu")
        entry.click()
        workbench.page.locator('.tab[data-resource-name="Tokens in corpus"]').wait_for()
        wanted = [[name, str(len(text)), str(expected.count(text))] for name, text in texts.items()]

        def rows() -> list[list[str]]:
            return [line.split() for line in workbench.lines()]

        # The tab is there before its text.
        workbench.wait_for("the report", lambda: all(row in rows() for row in wanted))
        workbench.shoot("report")
    finally:
        shutil.rmtree(folder)

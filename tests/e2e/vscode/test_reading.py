"""What a reader sees in VS Code without asking for anything: counts, hovers, the chat's prompt."""

from __future__ import annotations

import pytest

from tests.e2e.vscode import expected
from tests.e2e.vscode.workbench import Workbench

pytestmark = pytest.mark.models


def test_markdown_counts(workbench: Workbench) -> None:
    path = workbench.open("notes.md")
    text = path.read_text(encoding="utf-8")
    weather = expected.count(expected.section(path, "## Weather"))
    hint = workbench.wait_for(
        "an inlay hint",
        lambda: line if "tokens" in (line := workbench.line("## Weather")) else None,
    )
    assert hint.split("## Weather")[1].split() == [str(weather), "tokens"]
    document = expected.count(text)
    lens = workbench.wait_for(
        "a code lens", lambda: next((lens for lens in workbench.lenses() if "tokens" in lens), None)
    )
    assert lens.startswith(f"{document} tokens · {expected.MODEL}")
    workbench.wait_for("the status bar", lambda: f"{document} tokens" in workbench.status_bar())
    workbench.shoot("counts")

    workbench.select_line(3)
    selected = expected.count(text.splitlines()[2])
    workbench.wait_for(
        "the selection's count", lambda: f"{selected} tokens selected" in workbench.status_bar()
    )
    workbench.shoot("selection")


def test_chat_counts(workbench: Workbench) -> None:
    path = workbench.open("chat.json")
    for message in expected.messages(path):
        tokens = expected.count(message["content"])
        start = f'    {{"role": "{message["role"]}"'
        line = workbench.wait_for(
            f"the hint of {message['role']}",
            lambda start=start: line if "tokens" in (line := workbench.line(start)) else None,
        )
        assert f"{tokens} tokens" in line.split(start)[1]
    workbench.shoot("counts")


def test_python_counts(workbench: Workbench) -> None:
    path = workbench.open("prompts.py")
    tokens = expected.count(expected.constant(path, "SYSTEM"))
    line = workbench.wait_for(
        "the hint of the string",
        lambda: line if "tokens" in (line := workbench.line("SYSTEM")) else None,
    )
    assert line.endswith(f"{tokens} tokens")
    workbench.shoot("counts")


def test_hover_shows_a_table(workbench: Workbench) -> None:
    path = workbench.open("notes.md")
    here = expected.count(expected.section(path, "## Weather"))
    workbench.go_to(7)
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("## Weather"))
    workbench.command("Show or Focus Hover")
    hover = workbench.wait_for(
        "the hover", lambda: text if expected.MODEL in (text := workbench.hover()) else None
    )
    workbench.shoot("table")
    row = next(line for line in hover.splitlines() if line.startswith(expected.MODEL))
    assert workbench.page.locator(".monaco-hover:not(.hidden) table").count() == 1
    assert str(here) in row.split()
    assert str(expected.count(path.read_text(encoding="utf-8"))) in row.split()


def test_chat_preview(workbench: Workbench) -> None:
    path = workbench.open("chat.json")
    workbench.command("Transformers: Preview Chat Prompt")
    workbench.wait_for_lens(expected.MODEL)
    prompt = workbench.wait_for("the prompt", workbench.preview_text)
    workbench.shoot("prompt")
    for message in expected.messages(path):
        assert f"<|im_start|>{message['role']}" in prompt
    assert 'Why is the sky blue? Explain it to a "curious" child été.<|im_end|>' in prompt
    assert prompt.endswith("<|im_start|>assistant")
    lenses = " ".join(workbench.lenses(workbench.preview))
    assert "of 8,192 tokens" in lenses

    # The preview follows the source while it is being written.
    workbench.go_to(3, 46)
    workbench.page.keyboard.type("very ")
    workbench.wait_for(
        "the new prompt", lambda: "a very patient teacher" in workbench.preview_text()
    )
    workbench.shoot("followed")
    workbench.press("Control+z")
    workbench.save(path)

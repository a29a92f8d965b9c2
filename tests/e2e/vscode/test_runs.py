"""The tasks in VS Code: streamed beside the text, then accepted, discarded, stopped, or broken."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.vscode.journal import Journal
from tests.e2e.vscode.workbench import RUN_SECONDS, Workbench

pytestmark = pytest.mark.models

LINE = 3


def start(workbench: Workbench, command: str, answer: str = "") -> Path:
    path = workbench.open("notes.md")
    workbench.select_line(LINE)
    workbench.command(f"Transformers: {command}")
    if answer:
        workbench.pick(answer)
    workbench.preview.wait_for()
    return path


def test_a_summary_is_streamed_and_accepted(workbench: Workbench) -> None:
    path = start(workbench, "Summarize Selection")
    before = path.read_text(encoding="utf-8")
    workbench.shoot("started")
    workbench.wait_for("streamed text", workbench.preview_text, RUN_SECONDS)
    workbench.shoot("streaming")
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    facts = workbench.wait_for_lens("tok/s")
    assert "this machine" in facts
    summary = workbench.preview_text()
    workbench.shoot("done")
    assert workbench.is_unchanged(path, before)

    workbench.click_lens("Accept")
    workbench.wait_for("the preview gone", lambda: not workbench.preview.is_visible())
    after = workbench.save(path)
    workbench.shoot("accepted")
    lines = before.splitlines(keepends=True)
    above, below = "".join(lines[:LINE]).rstrip("\n"), "".join(lines[LINE:])
    assert after.startswith(above)
    assert after.endswith(below)
    inserted = after[len(above) : len(after) - len(below)]
    assert " ".join(inserted.split()) == summary
    assert summary

    workbench.press("Control+z")
    assert workbench.save(path) == before


def test_a_translation_replaces(workbench: Workbench) -> None:
    path = start(workbench, "Translate Selection", "French")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    translation = workbench.preview_text()
    workbench.shoot("done")
    workbench.click_lens("Accept")
    workbench.wait_for("the preview gone", lambda: not workbench.preview.is_visible())
    lines = before.split("\n")
    after = workbench.save(path).split("\n")
    workbench.shoot("accepted")
    replaced = after[LINE - 1 : len(after) - (len(lines) - LINE)]
    assert after[: LINE - 1] == lines[: LINE - 1]
    assert after[len(after) - (len(lines) - LINE) :] == lines[LINE:]
    assert " ".join(" ".join(replaced).split()) == translation
    assert lines[LINE - 1] not in "\n".join(after)


def test_a_generation_goes_below(workbench: Workbench) -> None:
    path = start(workbench, "Generate from Selection")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for("streamed text", workbench.preview_text, RUN_SECONDS)
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    workbench.click_lens("Accept")
    workbench.wait_for("the preview gone", lambda: not workbench.preview.is_visible())
    after = workbench.save(path)
    workbench.shoot("accepted")
    lines = before.splitlines(keepends=True)
    assert after.startswith("".join(lines[:LINE]).rstrip("\n"))
    assert after.endswith("".join(lines[LINE:]))
    assert len(after) > len(before)


def test_a_code_action_opens_the_same_preview(workbench: Workbench) -> None:
    path = workbench.open("notes.md")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("## Weather"))
    workbench.select_line(LINE)
    workbench.command("Refactor...")
    action = workbench.page.locator(".action-widget .monaco-list-row").filter(has_text="Summarize")
    action.first.wait_for()
    workbench.shoot("actions")
    action.first.click()
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    assert workbench.is_unchanged(path, before)


def test_discarding_changes_nothing(workbench: Workbench) -> None:
    path = start(workbench, "Summarize Selection")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    workbench.click_lens("Discard")
    workbench.wait_for("the preview gone", lambda: not workbench.preview.is_visible())
    assert workbench.is_unchanged(path, before)


def test_a_stopped_run_stops_the_engine(workbench: Workbench, journal: Journal) -> None:
    path = start(workbench, "Generate from Selection")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for("streamed text", workbench.preview_text, RUN_SECONDS)
    assert journal.last("engine busy")
    workbench.click_lens("Stop")
    workbench.wait_for_lens("Stopped")
    workbench.shoot("stopped")
    stopped = workbench.wait_for("the stop", lambda: journal.last("stop requested"))
    idle = workbench.wait_for("an idle engine", lambda: journal.last("engine idle"))
    assert (idle.time - stopped.time).total_seconds() < 1.0
    assert workbench.is_unchanged(path, before)
    assert "Accept" not in " ".join(workbench.lenses(workbench.preview))


def test_closing_the_preview_stops_the_run(workbench: Workbench, journal: Journal) -> None:
    path = start(workbench, "Generate from Selection")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for("streamed text", workbench.preview_text, RUN_SECONDS)
    workbench.preview.locator(".tab").first.click(button="middle")
    workbench.wait_for("the stop", lambda: journal.last("stop requested"))
    workbench.wait_for("an idle engine", lambda: journal.last("engine idle"))
    assert workbench.is_unchanged(path, before)


def test_an_edited_document_is_not_overwritten(workbench: Workbench) -> None:
    path = start(workbench, "Translate Selection", "French")
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    workbench.page.locator(".editor-instance .view-lines").first.click()
    workbench.go_to(LINE)
    workbench.page.keyboard.type("Meanwhile: ")
    edited = workbench.save(path)
    workbench.click_lens("Accept")
    workbench.wait_for("a refusal", lambda: "was changed" in workbench.notifications())
    workbench.shoot("refused")
    assert "Copy Result" in workbench.notifications()
    assert workbench.is_unchanged(path, edited)


def test_a_killed_worker_costs_one_run(workbench: Workbench, journal: Journal) -> None:
    path = start(workbench, "Generate from Selection")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for("streamed text", workbench.preview_text, RUN_SECONDS)
    busy = workbench.wait_for("a busy engine", lambda: journal.last("engine busy.*pid"))
    os.kill(busy.pid, signal.SIGKILL)
    workbench.wait_for("the message", lambda: "ended" in workbench.notifications())
    workbench.shoot("killed")
    assert workbench.is_unchanged(path, before)

    workbench.command("View: Close All Editors")
    start(workbench, "Summarize Selection")
    workbench.wait_for_lens("Accept", RUN_SECONDS)
    workbench.shoot("next run")
    again = workbench.wait_for("a new engine", lambda: journal.last("engine idle.*pid"))
    assert again.pid != busy.pid

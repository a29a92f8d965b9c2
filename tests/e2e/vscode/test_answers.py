"""Tasks whose results are read, not inserted: chosen, asked for, shown beside the text, marked in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.vscode.journal import Journal
from tests.e2e.vscode.workbench import Workbench
from tests.support.tiny_encoders import ENTITIES, encoder, names
from vscode_server import Address

pytestmark = pytest.mark.models

LINE = 3
# The worker starts, and imports what runs a model, for the first one.
ANSWER_SECONDS = 90.0


@pytest.fixture(scope="module", autouse=True)
def models(address: Address, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Name tiny models of random weights: what they say is little, but they say it at once.

    The window opens afterwards, so that its server knows them from the beginning.
    """
    root = tmp_path_factory.mktemp("models")
    labels = ("contradiction", "neutral", "entailment")
    models = {
        "entities": encoder(root / "a", "bert", "ForTokenClassification", **names(*ENTITIES)),
        "zeroShot": encoder(root / "b", "bert", "ForSequenceClassification", **names(*labels)),
        "similarity": encoder(root / "c", "bert", "Model"),
    }
    settings = address.folder / ".vscode" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(
        json.dumps({f"transformers.models.{task}": str(path) for task, path in models.items()})
    )
    yield
    settings.write_text("{}")


def start(workbench: Workbench, task: str) -> Path:
    path = workbench.open("notes.md")
    workbench.select_line(LINE)
    workbench.command("Transformers: Run Task on Selection")
    workbench.choose(task, "What is to be done")
    return path


def marks(workbench: Workbench) -> list[str]:
    """The labels behind what is marked in the document; they are drawn by style, not by text."""
    source = workbench.page.locator(".editor-group-container").first
    contents: list[str] = source.locator(".view-line span[class*='ced-']").evaluate_all(
        "spans => spans.map(s => getComputedStyle(s, '::after').content)"
    )
    return [text.strip('"') for text in contents if text not in ("none", "normal")]


def test_labels_are_asked_for_and_scored(workbench: Workbench) -> None:
    path = start(workbench, "Classify selection by labels")
    before = path.read_text(encoding="utf-8")
    workbench.answer("separated by commas", "history")
    box = workbench.page.locator(".quick-input-widget:visible")
    workbench.wait_for("what is wrong", lambda: "two labels" in box.inner_text())
    workbench.shoot("labels")
    workbench.answer("separated by commas", "history, sports")
    workbench.preview.wait_for()
    workbench.wait_for_lens("Close", ANSWER_SECONDS)
    shown = workbench.wait_for("the scores", lambda: workbench.lines(workbench.preview))
    workbench.shoot("scores")
    for label in ("history", "sports"):
        assert any(re.match(rf"{label} +\d+(\.\d+)? %", line) for line in shown), shown
    assert "Accept" not in " ".join(workbench.lenses(workbench.preview))
    assert workbench.is_unchanged(path, before)

    workbench.click_lens("Close")
    workbench.wait_for("the answer gone", lambda: not workbench.preview.is_visible())
    start(workbench, "Classify selection by labels")
    workbench.wait_for(
        "the last labels", lambda: box.locator("input.input").input_value() == "history, sports"
    )
    workbench.press("Escape")


def test_names_are_marked_until_the_text_changes(workbench: Workbench) -> None:
    path = start(workbench, "Find named entities")
    before = path.read_text(encoding="utf-8")
    workbench.wait_for_lens("Clear Highlights", ANSWER_SECONDS)
    labels = workbench.wait_for("the marks", lambda: marks(workbench))
    assert set(labels) <= {"PER", "LOC"}
    workbench.shoot("marked")
    workbench.page.locator(".editor-instance .view-lines").first.click()
    workbench.go_to(LINE, 2)
    workbench.command("Show or Focus Hover")
    workbench.wait_for("its score", lambda: re.search(r"(PER|LOC) \(\d", workbench.hover()))
    workbench.shoot("score")
    workbench.press("Escape")
    assert workbench.is_unchanged(path, before)
    workbench.click_lens("Clear Highlights")
    workbench.wait_for("no marks", lambda: not marks(workbench))

    workbench.command("View: Close All Editors")
    start(workbench, "Find named entities")
    workbench.wait_for("the marks", lambda: marks(workbench), ANSWER_SECONDS)
    workbench.page.locator(".editor-instance .view-lines").first.click()
    workbench.go_to(1)
    workbench.page.keyboard.type("x")
    workbench.wait_for("no marks", lambda: not marks(workbench))
    workbench.press("Control+z")


def test_another_paragraph_is_compared(workbench: Workbench) -> None:
    path = start(workbench, "Compare selection with another")
    before = path.read_text(encoding="utf-8")
    workbench.shoot("paragraphs")
    workbench.choose("Repair the lamp")
    workbench.preview.wait_for()
    workbench.wait_for_lens("Close", ANSWER_SECONDS)
    shown = workbench.wait_for("the score", workbench.preview_text)
    workbench.shoot("compared")
    assert re.search(r"-?\d\.\d{3}", shown), shown
    for text in ("│ The old lighthouse", "│ Repair the lamp"):
        assert text in shown
    assert workbench.is_unchanged(path, before)


def test_a_question_is_answered_and_the_engine_stopped(
    workbench: Workbench, journal: Journal
) -> None:
    path = start(workbench, "Ask about selection")
    before = path.read_text(encoding="utf-8")
    workbench.answer("What do you want to know", "Who lit the lamp?")
    workbench.preview.wait_for()
    workbench.wait_for_lens("Close", ANSWER_SECONDS)
    workbench.wait_for("the question", lambda: "Who lit the lamp?" in workbench.preview_text())
    workbench.shoot("answered")
    assert workbench.is_unchanged(path, before)

    workbench.page.locator(".editor-instance .view-lines").first.click()
    count = workbench.page.locator(".part.statusbar .statusbar-item", has_text="tokens")
    count.wait_for()
    count.hover()
    stop = workbench.page.locator(".monaco-hover a", has_text="Stop engine")
    stop.wait_for()
    workbench.shoot("engine")
    stop.click()
    workbench.wait_for("the stop", lambda: journal.last("engine stopped"))

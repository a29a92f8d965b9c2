"""Drives one VS Code window as a user does: keys, mouse, and looking at what is on the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Locator, Page

T = TypeVar("T")

SECONDS = 30.0
# Loading a model on a slow machine takes a while; a run that takes longer than this is broken.
RUN_SECONDS = 240.0

PREVIEW = ".editor-group-container:nth-child(2)"


class Workbench:
    """A page with VS Code in it. Every wait is for something that is seen, and has an end."""

    def __init__(self, page: Page, folder: Path, screenshots: Path) -> None:
        self.page = page
        self.folder = folder
        self._screenshots = screenshots
        self._name = "start"
        self._step = 0

    # Seeing

    def wait_for(self, what: str, probe: Callable[[], T | None], seconds: float = SECONDS) -> T:
        """Asks again and again until there is an answer."""
        deadline = time.monotonic() + seconds
        while True:
            answer = probe()
            if answer:
                return answer
            if time.monotonic() > deadline:
                self.shoot(f"missing {what}")
                raise AssertionError(f"not seen within {seconds:.0f} s: {what}")
            self.page.wait_for_timeout(50)

    def shoot(self, step: str) -> None:
        """Keeps a picture of the window."""
        self._step += 1
        name = re.sub(r"\W+", "-", f"{self._name}-{self._step:02}-{step}").strip("-")
        self.page.screenshot(path=self._screenshots / f"{name}.png")

    def begin(self, name: str) -> None:
        """Names the pictures that follow, and leaves nothing open from before."""
        self._name, self._step = name, 0
        self.press("Escape", "Escape")
        self.command("View: Close All Editors")
        self.wait_for("no editor", lambda: self.page.locator(".monaco-editor").count() == 0)
        self.command("Notifications: Clear All Notifications")

    def lines(self, area: Locator | None = None) -> list[str]:
        """The lines that an editor shows, with the inlay hints in them, from top to bottom."""
        where = area or self.page.locator(".editor-instance").first
        found: list[list[object]] = where.locator(".view-line").evaluate_all(
            "lines => lines.map(l => [l.getBoundingClientRect().top, l.textContent])"
        )
        return [str(text).replace("\xa0", " ") for _, text in sorted(found, key=lambda x: x[0])]

    def line(self, start: str) -> str:
        """The first shown line that begins so; empty when there is none."""
        return next((line for line in self.lines() if line.startswith(start)), "")

    def lenses(self, area: Locator | None = None) -> list[str]:
        """The texts of the code lenses on the screen."""
        where = area or self.page
        texts = where.locator(".codelens-decoration > *").all_inner_texts()
        return [text.replace("\xa0", " ").strip() for text in texts if text.strip(" |\xa0")]

    def hover(self) -> str:
        """What the hover shows."""
        shown = self.page.locator(".monaco-hover:not(.hidden) .hover-contents")
        return "\n".join(shown.all_inner_texts()).replace("\xa0", " ")

    def notifications(self) -> str:
        """What the notifications say."""
        return "\n".join(self.page.locator(".notification-toast").all_inner_texts())

    def status_bar(self) -> str:
        """The status bar's text."""
        return self.page.locator(".part.statusbar").inner_text().replace("\xa0", " ")

    # Doing

    def press(self, *keys: str) -> None:
        """Presses keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def command(self, title: str) -> None:
        """Runs a command from the palette."""
        self.press("F1")
        box = self.page.locator(".quick-input-widget:visible input.input")
        box.wait_for()
        box.fill(f">{title}")
        self._choose(title)
        # The command itself may ask something, in the same place.
        self.wait_for(
            "the palette gone",
            lambda: f">{title}" not in box.evaluate_all("boxes => boxes.map(b => b.value)"),
        )

    def pick(self, label: str) -> None:
        """Chooses an entry of a list that asks for one."""
        box = self.page.locator(".quick-input-widget:visible input.input")
        box.wait_for()
        box.fill(label)
        self._choose(label)
        self.page.locator(".quick-input-widget:visible").wait_for(state="hidden")

    def choose(self, label: str, question: str = "") -> None:
        """Chooses an entry of a list that another list or question may follow.

        Of a long list only the first entries are there; its question tells it from the list before.
        """
        box = self.page.locator(".quick-input-widget:visible input.input")
        if question:
            self.page.locator(f'.quick-input-widget:visible [placeholder*="{question}"]').wait_for()
        else:
            self._row(label).wait_for()
        box.fill(label)
        self._row(label).click()

    def answer(self, question: str, text: str) -> None:
        """Types the answer to a question into its box."""
        box = self.page.locator(".quick-input-widget:visible").filter(has_text=question)
        box.locator("input.input").fill(text)
        self.press("Enter")

    def _row(self, label: str) -> Locator:
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        return rows.filter(has_text=label).first

    def _choose(self, label: str) -> None:
        self._row(label).wait_for()
        self._row(label).click()

    def open(self, name: str) -> Path:
        """Opens a file of the folder by its whole path."""
        path = self.folder / name
        self.press("Control+p")
        box = self.page.locator(".quick-input-widget:visible input.input")
        box.wait_for()
        box.fill(str(path))
        self._choose(path.name)
        tab = self.page.locator(f'.tab[data-resource-name="{path.name}"]')
        tab.wait_for()
        self.wait_for(f"text of {name}", lambda: any(self.lines()))
        return path

    def go_to(self, line: int, column: int = 1) -> None:
        """Puts the cursor somewhere (both count from one)."""
        self.press("Control+g")
        box = self.page.locator(".quick-input-widget:visible input.input")
        box.wait_for()
        box.fill(f":{line}:{column}")
        self.press("Enter")
        self.page.locator(".quick-input-widget:visible").wait_for(state="hidden")
        self.wait_for("the cursor", lambda: f"Ln {line}, Col {column}" in self.status_bar())

    def select_line(self, line: int) -> None:
        """Selects the text of one line."""
        self.go_to(line)
        self.press("Shift+End", "Shift+End")
        self.wait_for("the selection", lambda: "selected)" in self.status_bar())

    def save(self, path: Path) -> str:
        """Saves a change of the active file and returns what is on disk then."""
        dirty = self.page.locator(f'.tab.dirty[data-resource-name="{path.name}"]')
        self.wait_for(f"a change of {path.name}", lambda: dirty.count() == 1)
        self.press("Control+s")
        self.wait_for(f"{path.name} saved", lambda: dirty.count() == 0)
        return path.read_text(encoding="utf-8")

    def is_unchanged(self, path: Path, text: str) -> bool:
        """Says whether the open file is, in the editor and on disk, what it was."""
        dirty = self.page.locator(f'.tab.dirty[data-resource-name="{path.name}"]')
        return dirty.count() == 0 and path.read_text(encoding="utf-8") == text

    # Runs

    @property
    def preview(self) -> Locator:
        """The group of editors beside the document."""
        return self.page.locator(".editor-group-container").nth(1)

    def preview_text(self) -> str:
        """What the preview says, its wrapped lines joined."""
        return " ".join(" ".join(self.lines(self.preview)).split())

    def wait_for_lens(self, text: str, seconds: float = SECONDS) -> str:
        """Waits for a code lens of the preview and returns it."""
        return self.wait_for(
            f"lens {text!r}",
            lambda: next((lens for lens in self.lenses(self.preview) if text in lens), None),
            seconds,
        )

    def click_lens(self, text: str) -> None:
        """Clicks a code lens of the preview."""
        self.wait_for_lens(text)
        self.preview.locator(".codelens-decoration a").filter(has_text=text).first.click()

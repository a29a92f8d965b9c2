"""The server's own life in VS Code: started again by command, and not found at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import vscode_server
from tests.e2e.vscode.journal import Journal
from tests.e2e.vscode.workbench import Workbench

pytestmark = pytest.mark.models


def test_the_server_is_restarted_by_command(workbench: Workbench, journal: Journal) -> None:
    workbench.open("notes.md")
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("## Weather"))
    workbench.command("Transformers: Restart Server")
    workbench.wait_for("a start", lambda: journal.last("Starting the server"))
    # What was shown came from the old server; a new selection asks the new one.
    workbench.select_line(3)
    workbench.wait_for("a count", lambda: "tokens selected" in workbench.status_bar())
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("## Weather"))
    workbench.shoot("restarted")


def test_an_interpreter_without_the_package(
    workbench: Workbench, journal: Journal, tmp_path: Path
) -> None:
    workbench.open("notes.md")
    workbench.wait_for("counts", lambda: "tokens" in workbench.line("## Weather"))
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'transformers_ls'\" >&2\nexit 1\n"
    )
    python.chmod(0o755)
    settings = workbench.folder / ".vscode" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    try:
        settings.write_text(json.dumps({"transformers.interpreter": [str(python)]}))
        message = workbench.wait_for("the message", workbench.notifications)
        workbench.shoot("message")
        assert "pip install transformers-ls" in message
        assert "Show Logs" in message
        assert "Open Settings" in message

        # Once the package is there, nobody needs to look for the way on.
        python.write_text(f'#!/bin/sh\nexec "{vscode_server.repository_python()}" "$@"\n')
        workbench.page.locator(".notification-toast a", has_text="Try Again").click()
        workbench.select_line(3)
        workbench.wait_for("a count", lambda: "tokens selected" in workbench.status_bar())
    finally:
        settings.write_text("{}")
    own = re.escape(str(vscode_server.repository_python()))
    workbench.wait_for("the start", lambda: journal.last(f"Starting the server with {own} "))
    workbench.select_line(7)
    workbench.wait_for("a count", lambda: "tokens selected" in workbench.status_bar())

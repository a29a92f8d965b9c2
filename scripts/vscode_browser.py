"""Finds the browser that shows VS Code, or installs it where that can be done without asking."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from vscode_install import SetupError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# A browser without a screen, without a sandbox (it is often root's, in a container), and without
# the background requests that are no part of any test.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> Path | None:
    """The browser that CHROMIUM names, or the first one on the path."""
    named = os.environ.get("CHROMIUM")
    if named:
        if shutil.which(named) is None:
            raise SetupError(f"CHROMIUM={named} is no program.")
        return Path(named)
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return Path(path)
    return None


def ensure(progress: Callable[[str], None]) -> Path:
    """Returns a Chromium, installing Debian's when this is root on a Debian without one."""
    found = find()
    if found:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupError(
            "No Chromium found. Install one (Debian: apt-get install chromium) "
            "or set CHROMIUM to the browser's path."
        )
    progress("Chromium with apt-get …")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    ):
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if ended.returncode != 0:
            raise SetupError(f"{' '.join(command)} failed:\n{ended.stderr[-2000:]}")
    found = find()
    if found is None:
        raise SetupError("apt-get installed chromium, but it is not on the path.")
    return found

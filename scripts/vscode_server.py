"""Runs VS Code in the browser: builds and installs the extension, starts and ends the server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vscode_install import CodeServer, SetupError

REPOSITORY = Path(__file__).resolve().parent.parent
VSIX = REPOSITORY / "build" / "transformers-ls.vsix"

_START_SECONDS = 60
_END_SECONDS = 10


def repository_python() -> Path:
    """The interpreter of the repository's virtual environment."""
    windows = REPOSITORY / ".venv" / "Scripts" / "python.exe"
    return windows if windows.exists() else REPOSITORY / ".venv" / "bin" / "python"


def build_extension(installed: CodeServer, progress: Callable[[str], None]) -> Path:
    """Packages the extension into a vsix, unless the one there is newer than all of its sources."""
    sources = [
        REPOSITORY / "package.json",
        REPOSITORY / "README.md",
        *(REPOSITORY / "client-vscode").glob("*.mjs"),
        *(REPOSITORY / "client-vscode" / "src").rglob("*.ts"),
    ]
    if VSIX.exists() and all(s.stat().st_mtime < VSIX.stat().st_mtime for s in sources):
        return VSIX
    environment = installed.environment()
    npm = [str(installed.node), str(installed.npm)]
    modules = REPOSITORY / "node_modules" / ".package-lock.json"
    lock = REPOSITORY / "package-lock.json"
    if not modules.exists() or modules.stat().st_mtime < lock.stat().st_mtime:
        progress("Packages of the extension's build from npm …")
        _check([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], environment)
    progress("Packaging the extension …")
    _check([*npm, "run", "--silent", "package"], environment)
    return VSIX


def _check(command: list[str], environment: Mapping[str, str]) -> None:
    ended = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise SetupError(f"{' '.join(command[1:])} failed:\n{ended.stdout}\n{ended.stderr}")


@dataclass(frozen=True)
class Profile:
    """What one VS Code keeps: its settings, logs and extensions."""

    root: Path

    @property
    def user_data(self) -> Path:
        """Settings, state, logs."""
        return self.root / "user"

    @property
    def extensions(self) -> Path:
        """Installed extensions."""
        return self.root / "extensions"

    @property
    def arguments(self) -> list[str]:
        """What tells code-server to keep to this folder, its configuration file included."""
        return [
            *("--config", str(self.root / "code-server.yaml")),
            *("--user-data-dir", str(self.user_data)),
            *("--extensions-dir", str(self.extensions)),
        ]

    def write_settings(self, user: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
        """Replaces the settings.

        To the window this VS Code is a remote machine, which has settings of scope "machine" in a
        file of their own. In the user's file they count only until it is read a second time: then
        the scopes of the extension's settings are known.
        """
        for scope, settings in (("User", user), ("Machine", machine)):
            path = self.user_data / scope / "settings.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def logs(self) -> list[Path]:
        """The logs of the extension and of the extension host, oldest first."""
        found = (self.user_data / "logs").rglob("*.log")
        wanted = (p for p in found if "transformers" in str(p).lower() or "exthost" in p.name)
        return sorted(wanted, key=lambda path: path.stat().st_mtime)


@dataclass(frozen=True)
class Address:
    """Where a running VS Code is found."""

    port: int
    folder: Path

    @property
    def base(self) -> str:
        """The address without any folder."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, file: Path | None = None) -> str:
        """The address of the folder, and of a file to open in it."""
        url = f"{self.base}/?folder={quote(str(self.folder))}"
        if file is not None:
            remote = f"vscode-remote://127.0.0.1:{self.port}{file}"
            url += f"&payload={quote(json.dumps([['openFile', remote]]))}"
        return url


def install_extension(installed: CodeServer, profile: Profile, vsix: Path) -> None:
    """Installs the extension; a VS Code that already runs on this profile would refuse."""
    shutil.rmtree(profile.extensions, ignore_errors=True)
    command = [
        *(str(installed.node), str(installed.entry)),
        *profile.arguments,
        *("--install-extension", str(vsix)),
    ]
    _check(command, installed.environment())


@contextlib.contextmanager
def serve(
    installed: CodeServer,
    profile: Profile,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Address]:
    """Runs VS Code for a folder until the context ends; its whole process group ends with it."""
    address = Address(port or _free_port(), folder)
    profile.root.mkdir(parents=True, exist_ok=True)
    log = profile.root / "code-server.log"
    command = [
        *(str(installed.node), str(installed.entry)),
        *("--auth", "none", "--bind-addr", f"127.0.0.1:{address.port}"),
        *profile.arguments,
        *("--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"),
        str(folder),
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env={**installed.environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_answering(process, address, log)
        yield address
    finally:
        _end_group(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_answering(process: subprocess.Popen[bytes], address: Address, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(f"{address.base}/healthz", timeout=2).close()
            return
        time.sleep(0.1)
    tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise SetupError(f"code-server did not start on {address.base}. Its log ends:\n{tail}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the group to end, then insists: VS Code's extension hosts are children of children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
            break
    # The leader may be gone before its children.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

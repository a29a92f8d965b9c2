"""A real VS Code in the browser with this repository's extension in it.

python scripts/vscode.py setup           install VS Code (once) and a browser for its tests
python scripts/vscode.py run examples    show a folder in VS Code, and print the address
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import vscode_browser
import vscode_install
import vscode_server
from vscode_install import SetupError

# AI features of the editor itself have nothing to do with this extension and want an account.
SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
}


def say(line: str) -> None:
    """Prints a line of progress at once."""
    print(line, file=sys.stderr, flush=True)


def setup() -> None:
    """Installs what the tests in VS Code need."""
    started = time.monotonic()
    installed = vscode_install.ensure(say)
    browser = vscode_browser.ensure(say)
    vscode_server.build_extension(installed, say)
    say(f"Ready after {time.monotonic() - started:.1f} s: {installed.root}, {browser}")


def run(folder: Path, port: int | None) -> None:
    """Shows a copy of a folder in VS Code until Ctrl-C."""
    installed = vscode_install.ensure(say)
    vsix = vscode_server.build_extension(installed, say)
    with tempfile.TemporaryDirectory(prefix="transformers-ls-vscode-") as scratch:
        profile = vscode_server.Profile(Path(scratch) / "profile")
        # A copy: whatever is tried there leaves the examples as they are.
        shown = Path(scratch) / folder.name
        shutil.copytree(folder, shown)
        python = str(vscode_server.repository_python())
        profile.write_settings(SETTINGS, {"transformers.interpreter": [python]})
        vscode_server.install_extension(installed, profile, vsix)
        with vscode_server.serve(installed, profile, shown, port=port) as address:
            print(f"VS Code shows a copy of {folder} at\n\n    {address.url()}\n", flush=True)
            say("Ctrl-C ends it.")
            signal.pause()


def main() -> int:
    """Reads the arguments and does it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="install VS Code (once) and a browser for its tests")
    show = commands.add_parser("run", help="show a folder in VS Code, and print the address")
    show.add_argument("folder", type=Path)
    show.add_argument("--port", type=int, help="the port to listen on; a free one by default")
    arguments = parser.parse_args()
    # TERM ends it as Ctrl-C does, with everything cleaned up; and so does INT where a shell had set
    # it to be ignored, as shells do for what they start in the background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        if arguments.command == "setup":
            setup()
        elif not arguments.folder.is_dir():
            raise SetupError(f"{arguments.folder} is not a folder.")
        else:
            run(arguments.folder.resolve(), arguments.port)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

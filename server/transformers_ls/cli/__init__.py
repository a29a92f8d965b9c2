"""The command line: `transformers-ls serve | count | render | check | run | models | …`.

Answers go to stdout, everything else (progress, facts, errors) to stderr. Exit codes: 0 done, 1 it
could not be done, 2 the command line is off.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from transformers_ls import __version__
from transformers_ls.errors import TransformersLsError, UsageError, describe

__all__ = ["main"]

# Each module has `add_arguments(parser)` and `run(arguments) -> int`, and is imported only when its
# command is used: the language server must not wait for what only `doctor` needs.
_COMMANDS = {
    "serve": "the language server (also when no command is given)",
    "count": "tokens per file and model",
    "render": "the prompt a model sees for a chat",
    "check": "what goes wrong with chats under a model's template, for CI",
    "run": "a task on a text",
    "models": "the embedded models: list, install, remove",
    "tasks": "the catalogue of tasks",
    "doctor": "what this machine has",
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(_main(list(sys.argv[1:] if argv is None else argv)))


def _main(argv: list[str]) -> int:
    # `transformers-ls` and `transformers-ls --stdio` are what editors start.
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv.insert(0, "serve")
    parser = argparse.ArgumentParser(
        prog="transformers-ls",
        description="The Transformers Language Server.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {name:8}{what}" for name, what in _COMMANDS.items()),
    )
    parser.add_argument("--version", action="version", version=f"transformers-ls {__version__}")
    parser.add_argument(
        "command",
        choices=_COMMANDS,
        metavar="command …",
        help="see `transformers-ls COMMAND --help`; exit codes: 0 done, 1 could not be done "
        "(check: problems found), 2 wrong usage",
    )
    command = parser.parse_args(argv[:1]).command
    module = import_module(f"transformers_ls.cli.{command}")
    subparser = argparse.ArgumentParser(
        prog=f"transformers-ls {command}", description=f"{_COMMANDS[command]}."
    )
    module.add_arguments(subparser)
    arguments = subparser.parse_args(argv[1:])
    try:
        code: int = module.run(arguments)
    except UsageError as error:
        print(f"transformers-ls {command}: {error}", file=sys.stderr)
        return 2
    except TransformersLsError as error:
        print(f"transformers-ls {command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away (`| head`); there is nobody left to tell.
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - no traceback: its message may quote the user's text.
        print(f"transformers-ls {command}: internal error: {describe(error)}", file=sys.stderr)
        return 1
    return code

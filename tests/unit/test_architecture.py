"""The walls of the house: which room may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[2] / "server"
FRONT = SERVER / "transformers_ls"
ROOMS = ("text", "tokens", "chat", "templates", "tasks", "engines", "hub", "checks", "folders")

# Programs of their own, started by the front in another process.
CHILDREN = {FRONT / "chat" / "child.py"}


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """Return the modules a file imports; those at run time only, when asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_domain_rooms_do_not_know_lsp(room):
    for path in modules(FRONT / room):
        for name in imports(path):
            assert not name.startswith(("transformers_ls.lsp", "pygls", "lsprotocol")), path
            assert not name.startswith("transformers_ls.cli"), path


def test_only_the_worker_knows_torch():
    for path in modules(FRONT):
        for name in imports(path):
            assert name.split(".")[0] != "torch", path
            if path not in CHILDREN:
                assert name.split(".")[0] != "transformers", path


def test_front_and_worker_share_only_the_wire():
    for path in modules(FRONT):
        for name in imports(path):
            if name.startswith("transformers_ls_worker"):
                assert name.startswith("transformers_ls_worker.wire") or name in (
                    "transformers_ls_worker"
                ), path
    for path in modules(SERVER / "transformers_ls_worker"):
        assert not any(name.split(".")[0] == "transformers_ls" for name in imports(path)), path


def test_the_wire_is_stdlib_only():
    names = imports(SERVER / "transformers_ls_worker" / "wire.py")
    assert all(name.split(".")[0] in sys.stdlib_module_names for name in names)


HEAVY = ("torch", "transformers", "tokenizers", "huggingface_hub", "jinja2", "tree_sitter", "numpy")


def test_starting_imports_nothing_heavy():
    """`initialize` must not wait for what only a later answer needs."""
    code = (
        "import sys\n"
        "from transformers_ls.lsp.server import create_server\n"
        "create_server()\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", modules(SERVER), ids=lambda path: str(path.relative_to(SERVER)))
def test_modules_are_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400

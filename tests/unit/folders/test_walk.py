"""Which files a folder's count takes, held to what git itself says."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from transformers_ls.folders.ignore import compile_patterns
from transformers_ls.folders.walk import Filters, Found, Skipped, walk


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(root: Path, filters: Filters | None = None, *, base: Path | None = None) -> list[str]:
    found = list(walk(root, filters))
    assert all(isinstance(item, Found) for item in found), found
    return sorted(Path(item.path).relative_to(base or root).as_posix() for item in found)


def git(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def git_files(root: Path) -> list[str]:
    """What git would add, apart from hidden names."""
    listed = git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    visible = [path for path in listed if path and not any(p[0] == "." for p in path.split("/"))]
    return sorted(visible)


def test_gitignore_at_every_level_as_git_reads_it(tmp_path):
    git(tmp_path, "init", "-q")
    write(
        tmp_path,
        {
            ".gitignore": "*.log\n/build\nnode_modules/\n# a comment\n\\#hash\ndocs/*.txt\n!keep.log\n",
            ".git/info/exclude": "private*\nsrc/open.md\n",
            "a.md": "",
            "a.log": "",
            "keep.log": "",
            "#hash": "",
            "private.md": "",
            "build/x.md": "",
            "src/build/x.md": "",
            "src/open.md": "",
            "src/node_modules/m/x.md": "",
            "src/.gitignore": "*\n!*.md\n!deep/\n!open.md",
            "src/x.py": "",
            "src/x.md": "",
            "src/x.log": "",
            "src/deep/.gitignore": "!*.log",
            "src/deep/y.log": "",
            "src/deep/y.bin": "",
            "docs/a.txt": "",
            "docs/deep/a.txt": "",
            ".hidden/x.md": "",
            "a\nb/[x] \u00e9.md": "",
        },
    )
    assert names(tmp_path) == git_files(tmp_path)
    # A folder within a repository is ruled by what stands above it.
    inside = [path for path in git_files(tmp_path) if path.startswith("src/")]
    assert "src/deep/y.log" in inside
    assert names(tmp_path / "src", base=tmp_path) == inside


@pytest.mark.parametrize("seed", range(25))
def test_any_gitignore_as_git_reads_it(tmp_path, seed):
    source = random.Random(seed)
    parts = ["a", "b", "a.md", "b.md", "a.py", "ab", "c"]
    git(tmp_path, "init", "-q")
    for _ in range(40):
        path = tmp_path.joinpath(*source.choices(parts, k=source.randrange(1, 5)))
        if any(parent.is_file() for parent in path.parents) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    pieces = ["a", "b", "c", "*", "**", "/", "/", "!", "*.md", "?", "[ab]", "a*", ".py", "\\a", " "]
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in source.sample(folders, k=min(4, len(folders))):
        if ".git" in folder.parts:
            continue
        lines = ["".join(source.choices(pieces, k=source.randrange(1, 5))) for _ in range(3)]
        (folder / ".gitignore").write_text("\n".join(lines))
    assert names(tmp_path) == git_files(tmp_path)


def test_a_folder_outside_of_a_repository(tmp_path):
    write(tmp_path, {".gitignore": "*.log", "sub/.gitignore": "x", "sub/a.log": "", "sub/x": ""})
    assert names(tmp_path) == []
    # What stands above is not asked: it belongs to no repository.
    assert names(tmp_path / "sub") == ["a.log"]


def test_switches(tmp_path):
    write(
        tmp_path,
        {
            ".gitignore": "*.log",
            "a.log": "",
            ".env": "",
            ".git/config": "",
            "docs/a.md": "",
            "docs/b.txt": "",
            "src/c.md": "",
        },
    )
    include, _ = compile_patterns(["*.md", "*.log"])
    exclude, _ = compile_patterns(["src/"])
    assert names(tmp_path, Filters(ignored=True, hidden=True)) == [
        *(".env", ".gitignore", "a.log", "docs/a.md", "docs/b.txt", "src/c.md")
    ]
    assert names(tmp_path, Filters(include, exclude)) == ["docs/a.md"]
    assert names(tmp_path, Filters(include, ignored=True)) == ["a.log", "docs/a.md", "src/c.md"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links(tmp_path):
    root = tmp_path / "root"
    write(tmp_path, {"root/a/x.md": "", "elsewhere/y.md": "", "elsewhere/z.md": ""})
    (root / "a" / "loop").symlink_to(root)
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    (root / "file.md").symlink_to(tmp_path / "elsewhere" / "y.md")
    (root / "again.md").symlink_to(tmp_path / "elsewhere" / "y.md")
    os.mkfifo(root / "pipe")
    assert names(root) == ["a/x.md", "again.md"]
    (root / "dangling.md").symlink_to(root / "nothing")
    (skipped,) = (item for item in walk(root) if isinstance(item, Skipped))
    assert skipped.kind == "unreadable"
    assert skipped.shown.endswith("dangling.md")


def test_a_deep_folder(tmp_path):
    path = tmp_path
    for _ in range(300):
        path = path / "d"
        path.mkdir()
    (path / "x.md").write_text("")
    assert len(names(tmp_path)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_a_name_that_is_no_text(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("")
    (found,) = walk(tmp_path)
    assert found.shown == f"{tmp_path}/\ufffd.md"
    assert Path(found.path).exists()

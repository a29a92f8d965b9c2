"""Which files of a folder are to be counted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pathspec import GitIgnoreSpec

from transformers_ls.folders.ignore import IgnoreRules, rules_above, rules_of

__all__ = ["Filters", "Found", "Skipped", "walk"]

Kind = Literal["binary", "encoding", "too-large", "unreadable"]


@dataclass(frozen=True, slots=True)
class Found:
    """A file to count."""

    path: str
    shown: str
    """The path as the user would write it."""
    size: int
    """In bytes, when it was found."""
    data: bytes | None = None
    """Its bytes, when they are no file's (standard input)."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is not counted, and why."""

    shown: str
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Filters:
    """Which files of a folder are wanted."""

    include: GitIgnoreSpec | None = None
    """Only files that match, when given; in the notation of .gitignore, relative to the folder."""
    exclude: GitIgnoreSpec | None = None
    hidden: bool = False
    """Also what begins with a dot, apart from `.git`."""
    ignored: bool = False
    """Also what .gitignore leaves out."""


def walk(root: Path, filters: Filters | None = None) -> Iterator[Found | Skipped]:
    """Find the files of a folder and of those in it, each once.

    Links to files are followed, links to folders are not: so there are no loops, and nothing is
    counted that the folder only points to. Sockets, pipes and devices are passed over.
    """
    filters = filters or Filters()
    top = os.path.abspath(root)  # noqa: PTH100 - resolve() would follow links.
    above = None if filters.ignored else rules_above(Path(top))
    seen: set[tuple[int, int]] = set()
    pending: list[tuple[str, IgnoreRules | None]] = [(top, above)]
    while pending:
        folder, rules = pending.pop()
        shown = _shown(root, top, folder)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(shown, "unreadable", f"cannot be read: {error.strerror}")
            continue
        if not filters.ignored:
            rules = rules_of(folder, {entry.name for entry in entries}, rules)
        folders = []
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not _wanted(entry, filters, rules, top, is_folder=is_folder):
                continue
            if is_folder:
                folders.append((entry.path, rules))
            else:
                yield from _file(entry, _shown(root, top, entry.path), seen)
        pending += reversed(folders)


def _wanted(
    entry: os.DirEntry[str],
    filters: Filters,
    rules: IgnoreRules | None,
    top: str,
    *,
    is_folder: bool,
) -> bool:
    name = entry.name
    if name == ".git" or (name.startswith(".") and not filters.hidden):
        return False
    if rules is not None and rules.ignores(entry.path, is_folder=is_folder):
        return False
    if filters.exclude is None and filters.include is None:
        return True
    relative = entry.path[len(top) :].lstrip(os.sep)
    if filters.exclude is not None and filters.exclude.match_file(
        f"{relative}/" if is_folder else relative
    ):
        return False
    # A folder that does not match may hold files that do.
    return is_folder or filters.include is None or filters.include.match_file(relative)


def _file(
    entry: os.DirEntry[str], shown: str, seen: set[tuple[int, int]]
) -> Iterator[Found | Skipped]:
    try:
        facts = entry.stat()
    except OSError as error:
        yield Skipped(shown, "unreadable", f"cannot be read: {error.strerror}")
        return
    if not stat.S_ISREG(facts.st_mode):
        return
    # On Windows a directory entry knows no file number.
    identity = (facts.st_dev, facts.st_ino)
    if identity in seen and facts.st_ino:
        return
    seen.add(identity)
    yield Found(entry.path, shown, facts.st_size)


def _shown(root: Path, top: str, path: str) -> str:
    relative = path[len(top) :].lstrip(os.sep)
    joined = os.path.normpath(f"{root}{os.sep}{relative}")
    # A name that is no UTF-8 holds lone surrogates, which can be printed nowhere.
    return os.fsencode(joined).decode("utf-8", "replace")

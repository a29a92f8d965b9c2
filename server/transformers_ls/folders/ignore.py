"""What a repository says is not part of it: `.gitignore` at every level and `.git/info/exclude`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

__all__ = ["IgnoreRules", "compile_patterns"]


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns of one folder, and those of the folders above it, which they override."""

    base: str
    """The folder that the patterns are relative to."""
    spec: GitIgnoreSpec
    above: IgnoreRules | None

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Say whether git would leave a path out; a path below an ignored folder is not asked for."""
        rules: IgnoreRules | None = self
        while rules is not None:
            relative = path[len(rules.base) :].lstrip(os.sep).replace(os.sep, "/")
            found = _last_word(rules.spec, f"{relative}/" if is_folder else relative)
            if found is not None:
                return found
            rules = rules.above
        return False


def _last_word(spec: GitIgnoreSpec, path: str) -> bool | None:
    """Return whether the last pattern that matches a path ignores it; None when none matches.

    `GitIgnoreSpec.check_file` asks whether a path or a folder above it is ignored, of a list of
    paths. Here the folders above were asked before, so `!deep/` speaks of that folder alone.
    """
    for pattern in reversed(spec.patterns):
        found = pattern.match_file(path)
        if found is not None:
            match = found.match
            # The only group is the slash after a folder that holds the path.
            if match.lastindex is None or match.end() == len(path):
                return pattern.include
    return None


def rules_above(folder: Path) -> IgnoreRules | None:
    """Return what the repository around a folder says, up to the folder that holds `.git`."""
    parents = [folder, *folder.parents]
    root = next((at for at, parent in enumerate(parents) if (parent / ".git").exists()), 0)
    rules: IgnoreRules | None = None
    for parent in reversed(parents[1 : root + 1]):
        rules = rules_of(str(parent), {".gitignore", ".git"}, rules)
    return rules


def rules_of(folder: str, names: Iterable[str], above: IgnoreRules | None) -> IgnoreRules | None:
    """Add what a folder itself says.

    Args:
        folder: The folder.
        names: The names in it, so that no file is looked for in vain.
        above: The rules of the folders above.
    """
    # In git's order: a .gitignore overrides what the repository's own exclude file says.
    for name, file in ((".git", ".git/info/exclude"), (".gitignore", ".gitignore")):
        if name in names:
            spec = _read(Path(folder, file))
            if spec is not None:
                above = IgnoreRules(folder, spec, above)
    return above


def _read(path: Path) -> GitIgnoreSpec | None:
    try:
        # File names that are no UTF-8 come as surrogates from the system; patterns have to match.
        text = path.read_text("utf-8-sig", "surrogateescape")
    except OSError:
        return None
    spec, _ = compile_patterns(text.splitlines())
    return spec if len(spec) else None


def compile_patterns(lines: Iterable[str]) -> tuple[GitIgnoreSpec, list[str]]:
    """Compile patterns; return also those that are malformed, which git skips without a word."""
    good, bad = [], []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            bad.append(line)
        else:
            good.append(line)
    return GitIgnoreSpec.from_lines(good), bad

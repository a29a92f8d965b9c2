"""What the Hub's cache holds: read with huggingface_hub, without the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CachedModel", "cached_ids", "cached_models", "cached_revisions", "cached_snapshot"]


@dataclass(frozen=True, slots=True)
class CachedModel:
    """A model in the cache, as one of its revisions."""

    name: str
    """What it is called in settings: the id, with its revision where it is not the default one."""
    folder: Path
    size: int
    """Bytes on the disk, files shared with other revisions included."""


def cached_snapshot(repo: str, files: Sequence[str], revision: str | None = None) -> Path | None:
    """Return the folder of a repository's revision that holds at least one of some files."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        for file in files:
            found = try_to_load_from_cache(repo, file, revision=revision)
            if isinstance(found, str):
                return Path(found).parent
    except (HFValidationError, OSError):
        return None
    return None


def cached_models() -> list[CachedModel]:
    """Return the models of the cache by name; what is broken in it is left out."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir(_cache()).repos
    except (CacheNotFound, OSError, ValueError):
        return []
    found = [
        CachedModel(
            repo.repo_id
            if "main" in revision.refs
            else f"{repo.repo_id}@{min(revision.refs, default=revision.commit_hash)}",
            revision.snapshot_path,
            revision.size_on_disk,
        )
        for repo in repos
        if repo.repo_type == "model"
        for revision in repo.revisions
        if revision.nb_files
    ]
    return sorted(found, key=lambda model: model.name.lower())


def cached_revisions(repo: str) -> list[str]:
    """Return the revisions of a repository that are in the cache, by name or else by commit."""
    folder = _cache() / f"models--{repo.replace('/', '--')}"
    commits = {path.name for path in _entries(folder / "snapshots") if any(_entries(path))}
    refs = folder / "refs"
    named = {}
    for path in sorted(refs.rglob("*")) if commits else []:
        try:
            named[path.relative_to(refs).as_posix()] = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            continue
    names = sorted(name for name, commit in named.items() if commit in commits)
    return names + sorted(commits - set(named.values()))


def cached_ids() -> list[str]:
    """Return the ids of the models in the cache, by its folders' names alone."""
    prefix = "models--"
    names = [path.name for path in _entries(_cache())]
    return [name[len(prefix) :].replace("--", "/") for name in names if name.startswith(prefix)]


def _cache() -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []

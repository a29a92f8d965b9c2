"""Where transformers-ls keeps what it makes, on every platform."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir", "data_dir", "models_dir"]

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


def cache_dir() -> Path:
    """Return the folder of what can be made again: exported tokenizers.

    `TRANSFORMERS_LS_CACHE` overrides the platform's place. The folder need not exist yet.
    """
    if override := os.environ.get("TRANSFORMERS_LS_CACHE"):
        return Path(override)
    import platformdirs

    return Path(platformdirs.user_cache_dir(_APP, appauthor=False))

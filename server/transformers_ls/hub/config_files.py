"""The small JSON files beside a model's weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["read_config"]


def read_config(path: Path) -> dict[str, Any]:
    """Return a file's object; empty where it is missing or broken, which whoever loads it tells."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}

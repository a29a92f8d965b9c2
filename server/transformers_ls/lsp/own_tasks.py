"""The tasks that there are for a document: the built-in ones, and those of its folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import to_fs_path

if TYPE_CHECKING:
    from transformers_ls.tasks.own import OwnTasks

__all__ = ["tasks_for"]


async def tasks_for(uri: str) -> OwnTasks:
    """Return the tasks for a document, read anew: a task file may just have been saved."""
    from transformers_ls.tasks.own import find_tasks

    path = to_fs_path(uri) if uri.startswith("file:") else None
    return await asyncio.to_thread(find_tasks, Path(path) if path else None)

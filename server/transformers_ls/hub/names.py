"""Names that nothing here answers to: what may have been meant."""

from __future__ import annotations

import difflib
from pathlib import Path

from transformers_ls.errors import ModelNotFoundError
from transformers_ls.hub.cache import cached_ids, cached_revisions
from transformers_ls.hub.catalogue import EMBEDDED

__all__ = ["FILES", "looks_like_a_path", "unknown_model"]

FILES = frozenset({".json", ".gguf", ".model", ".spm", ".tiktoken"})
"""The endings of files that are models or tokenizers by themselves."""


def looks_like_a_path(name: str) -> bool:
    """Whether a name can be no Hub id."""
    return name.startswith((".", "~")) or Path(name).is_absolute() or name.count("/") > 1


def unknown_model(name: str, repo: str = "") -> ModelNotFoundError:
    """Say that no model is called so, and what to do.

    Args:
        name: What the user called it.
        repo: The Hub's repository that it names, if it can be one.
    """
    if revisions := cached_revisions(repo) if repo else []:
        return ModelNotFoundError(
            f"{repo} is in the Hub's cache, but not as {name}.",
            f"Name the revision that is: `{repo}@{revisions[0]}`"
            + (f" (or {', '.join(revisions[1:4])})." if revisions[1:] else "."),
        )
    close = difflib.get_close_matches(name, [*EMBEDDED, *cached_ids()], n=3, cutoff=0.5)
    close = [other for other in close if other != name]
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    if looks_like_a_path(name) or name.endswith(tuple(FILES)):
        return ModelNotFoundError(f"There is no {name}.{meant}", "Check the path.")
    return ModelNotFoundError(
        f"No model on this machine is called {name!r}.{meant}",
        f"Name an embedded model ({', '.join(EMBEDDED)}), a folder, a tokenizer.json, a .gguf "
        "file, or a Hub id that was downloaded before (`hf download ID`).",
    )

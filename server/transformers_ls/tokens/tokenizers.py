"""Loads a tokenizer from a folder or a file of any known format, once for each contents.

AutoTokenizer may rebuild what a tokenizer.json says (Llama 2: other counts), and imports for
seconds; so a helper process asks it once what it really uses, and the answer is cached:

    cache_dir()/tokenizers/<fingerprint>/facts.json       what is known
    cache_dir()/tokenizers/<fingerprint>/tokenizer.json   what AutoTokenizer uses
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from transformers_ls.errors import ModelBrokenError
from transformers_ls.paths import cache_dir
from transformers_ls.tokens.children import run_helper
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.cuts import CutRule
from transformers_ls.tokens.engines import build_counter
from transformers_ls.tokens.pipeline import Pipeline
from transformers_ls.tokens.sources import Source, find_source, fingerprint

__all__ = ["load_counter", "prepare"]

_UNFINISHED = ".making-"
"""What the names of folders begin with in which a tokenizer is made."""
_ABANDONED_SECONDS = 3600.0
"""How old what a killed process left unfinished is at least: no making takes as long."""
_FACTS = {"exact", "reason", "added_tokens", "special_tokens", "engine", "spells_bytes", "cuts"}

_log = logging.getLogger(__name__)
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def load_counter(source: Path) -> Counter:
    """Load the counter of a tokenizer. Blocks: for seconds at the first time, then for tenths.

    Args:
        source: A folder with a tokenizer's files, a tokenizer.json, or a .gguf, sentencepiece
            `.model`, tiktoken or `tekken.json` file.

    Raises:
        ModelNotFoundError: No tokenizer is there.
        ModelBrokenError: Its files cannot be read, or need code from their repository.
    """
    pipeline = prepare(source)
    try:
        return build_counter(pipeline)
    # The libraries raise bare `Exception` for files they do not like.
    except Exception as error:
        raise ModelBrokenError(
            f"The tokenizer of {source.name} cannot be loaded: {error}",
            "Remove the folder `tokenizers` of the cache (see `transformers-ls doctor`).",
        ) from error


def prepare(path: Path) -> Pipeline:
    """Return the pipeline of a tokenizer, from the cache or made now in helper processes."""
    source = find_source(path)
    name = fingerprint(source)
    folder = cache_dir() / "tokenizers" / name
    with _locks[name]:
        facts = _read(folder)
        if facts is None:
            _make(source, folder)
            facts = _read(folder)
    if facts is None:
        raise ModelBrokenError(
            f"The tokenizer of {path.name} could not be kept in {folder.parent}.",
            "Check that this folder can be written and is not full.",
        )
    exported = folder / "tokenizer.json"
    return Pipeline(
        path=exported if exported.is_file() else source.tokenizer_json or exported,
        exact=bool(facts["exact"]),
        reason=str(facts["reason"]),
        added_tokens=int(facts["added_tokens"]),
        special_tokens=frozenset(facts["special_tokens"]),
        engine=str(facts["engine"]),
        spells_bytes=bool(facts["spells_bytes"]),
        cuts=CutRule.from_json(facts["cuts"]),
    )


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        facts = json.loads((folder / "facts.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    # Of another make, or spoilt: it is made again.
    return facts if isinstance(facts, dict) and facts.keys() >= _FACTS else None


def _make(source: Source, folder: Path) -> None:
    """Fill a folder of the cache; it appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):  # Another process may remove it, too.
            if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        facts = _facts(source, work)
        (work / "facts.json").write_text(json.dumps(facts, indent=1), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            os.replace(work, folder)  # noqa: PTH105
        except OSError:
            # Another process was first, with the same contents.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _facts(source: Source, work: Path) -> dict[str, Any]:
    """Ask AutoTokenizer what it uses, and check that file; the raw file is the way out."""
    exported = {} if source.kind == "file" else _export(source, work)
    problem = exported.get("error", "")
    path = source.tokenizer_json if source.kind == "file" or problem else work / "tokenizer.json"
    if path is None:
        raise ModelBrokenError(
            f"transformers cannot load the tokenizer of {source.path.name}: {problem}",
            exported.get("hint", "Name a folder with a tokenizer.json instead."),
        )
    checked = run_helper("transformers_ls.tokens.selfcheck", str(path.resolve()))
    if "error" in checked:
        raise ModelBrokenError(
            f"{path.name} of {source.path.name} cannot be read: {checked['error']}",
            "Download it again.",
        )
    for engine, refusal in checked["refused"].items():
        level = logging.INFO if checked["engine"] else logging.WARNING
        _log.log(level, "%s is not used for %s: %s", engine, source.path, refusal)
    reason = (
        f"transformers could not load it ({problem})" if problem else exported.get("reason", "")
    )
    return {**checked, **exported, "exact": not reason, "reason": reason}


def _export(source: Source, work: Path) -> dict[str, Any]:
    module = "transformers_ls_worker.export_tokenizer"
    destination = str(work / "tokenizer.json")
    return run_helper(module, source.kind, str(source.path.resolve()), destination)

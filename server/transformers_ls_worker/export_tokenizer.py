"""Saves the pipeline that AutoTokenizer really uses; a process of its own.

`python -m transformers_ls_worker.export_tokenizer KIND SOURCE DESTINATION` loads the folder or file
SOURCE of a kind (`folder`, `gguf`, `sentencepiece`, `tiktoken`, `tekken`), writes its tokenizer.json to DESTINATION, and prints one JSON object: facts that the file
does not tell, or `{"error": …, "hint": …}`. Nothing is fetched and no code of a repository is run.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["export", "main"]

_TRUSTED_GGUF = {
    ("phi3", "default"),
    ("qwen2", "qwen2"),
    ("qwen2", "qwen35"),
    ("gpt2", "gpt-2"),
}
"""Architecture and pre-tokenizer of the vocabularies whose conversion gives the very tokens of
llama.cpp's own test vectors (`bench/vocabularies.py` prints the table)."""

_PROBE = (
    "Hello, world! It's a test\n\n  with   spaces\tand\r\nlines. 12345 3.14 <s> </s> <unk> [CLS] "
    "Ünïcödé e\u0301 漢字かな 한국어 العربية हिन्दी 👩‍👩‍👧 \u200b\u00a0\ufb01 def f(x): return x_1  "
)


def export(kind: str, source: Path, destination: Path) -> dict[str, Any]:
    """Load a tokenizer as transformers does, save its pipeline, and return its facts."""
    if kind in ("sentencepiece", "tiktoken", "tekken"):
        return _export_native(kind, source, destination)
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer, __version__

    if kind == "gguf":
        tokenizer = AutoTokenizer.from_pretrained(
            str(source.parent),
            gguf_file=source.name,
            local_files_only=True,
            trust_remote_code=False,
        )
    else:
        tokenizer = AutoTokenizer.from_pretrained(
            str(source), local_files_only=True, trust_remote_code=False
        )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return {
            "error": f"{type(tokenizer).__name__} has no fast version",
            "hint": "Convert it to a tokenizer.json, for example with `save_pretrained`.",
        }
    saved = backend.to_str()
    destination.write_text(saved, "utf-8")
    again = Tokenizer.from_str(saved)
    again.no_truncation()
    again.no_padding()
    # A tokenizer class may do more around its pipeline than the pipeline says.
    same = all(
        again.encode(text, add_special_tokens=False).ids
        == list(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in _probes(tokenizer)
    )
    reason = "" if same else f"{type(tokenizer).__name__} does more than its tokenizer.json"
    if kind == "gguf":
        reason = reason or _doubt(source)
    return {
        "class": type(tokenizer).__name__,
        "transformers": __version__,
        "added_tokens": tokenizer.num_special_tokens_to_add(pair=False),
        "reason": reason,
    }


def _export_native(kind: str, source: Path, destination: Path) -> dict[str, Any]:
    from transformers import __version__

    from transformers_ls_worker.native_vocabulary import convert_native

    tokenizer, assumed = convert_native(kind, source)
    destination.write_text(tokenizer.to_str(), "utf-8")
    return {
        "class": "",
        "transformers": __version__,
        "added_tokens": tokenizer.num_special_tokens_to_add(is_pair=False),
        "reason": assumed,
    }


def _doubt(source: Path) -> str:
    """Return why the conversion of a GGUF vocabulary is not to be trusted; empty when it is."""
    from gguf import GGUFReader

    fields = GGUFReader(source).fields
    names = [
        str(field.contents()) if (field := fields.get(key)) is not None else "none"
        for key in ("general.architecture", "tokenizer.ggml.pre")
    ]
    if tuple(names) in _TRUSTED_GGUF:
        return ""
    return f"transformers' conversion of this kind of GGUF ({', '.join(names)}) is not exact for all texts"


def _probes(tokenizer: Any) -> list[str]:
    special = [str(token) for token in tokenizer.all_special_tokens][:50]
    return ["", _PROBE, _PROBE * 20, *(f"a {token} b{token}{token}\n {token}" for token in special)]


def main(arguments: list[str]) -> int:
    """Export, and print the facts or the error as one line on the real standard output."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    answer_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What libraries print must not mix with the answer.
    os.dup2(2, 1)
    try:
        facts = export(arguments[0], Path(arguments[1]), Path(arguments[2]))
    # transformers raises whatever the file at hand led it to.
    except Exception as error:  # noqa: BLE001
        lines = str(error).strip().splitlines() or [""]
        facts = {"error": f"{type(error).__name__}: {lines[0]}"[:300]}
    with answer_to:
        answer_to.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

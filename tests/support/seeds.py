"""The four models that the project started from, and how each is shown.

    python -m tests.support.seeds

writes examples/seeds.md with what the command line answers for `examples/chat.json`. Vocabularies
and templates come from the source distribution of llama-cpp-python; none of them is committed.
"""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

from tests.support.llama_cpp_sdist import REQUIREMENT, sdist_models_dir
from transformers_ls.cli import main as command_line

ROOT = Path(__file__).parents[2]
CHAT = ROOT / "examples" / "chat.json"


@dataclass(frozen=True)
class Seed:
    """A model: its vocabulary, and the template that it is used with (None: a base model)."""

    title: str
    vocabulary: str
    template: str | None


SEEDS = (
    Seed("Llama 3.1 8B Instruct", "llama-bpe", "meta-llama-Llama-3.1-8B-Instruct"),
    Seed("Phi-3 mini (the template of Phi-3.5)", "phi-3", "microsoft-Phi-3.5-mini-instruct"),
    Seed("Qwen2 7B (the template of Qwen2.5)", "qwen2", "Qwen-Qwen2.5-7B-Instruct"),
    Seed("StarCoder2, a base model", "starcoder", None),
)


def arguments(seed: Seed) -> list[str]:
    """Return what `transformers-ls render` is given for a seed."""
    folder = sdist_models_dir()
    given = ["render", str(CHAT), "-m", str(folder / f"ggml-vocab-{seed.vocabulary}.gguf")]
    if seed.template:
        given += ["--chat-template", str(folder / "templates" / f"{seed.template}.jinja")]
    return given


def run(seed: Seed) -> tuple[int, str, str]:
    """Run `render --json`; return the exit status and what went to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command_line([*arguments(seed), "--json"])
        except SystemExit as ended:
            status = ended.code
    return int(str(status or 0)), out.getvalue(), err.getvalue()


def page() -> str:
    """Return the page."""
    parts = [
        "# The same chat, as four models see it\n",
        (
            "Written by `python -m tests.support.seeds`: `transformers-ls render` on "
            "[chat.json](chat.json), with the vocabularies and\ntemplates that "
            f"{REQUIREMENT} carries.\n"
        ),
    ]
    for seed in SEEDS:
        status, out, err = run(seed)
        template = f" --chat-template {seed.template}.jinja" if seed.template else ""
        command = f"transformers-ls render chat.json -m {seed.vocabulary}.gguf{template}"
        parts.append(f"## {seed.title}\n\n```console\n$ {command}")
        if status:
            # The cache's place is nobody's business.
            said = err.strip().replace(f"{sdist_models_dir()}/ggml-vocab-", "")
            parts.append(f"{said}\n```\n")
            continue
        answer = json.loads(out)
        each = ", ".join(f"{m['role']} {m['tokens']}" for m in answer["messages"])
        about = "" if answer["exact"] else "≈"
        parts.append(
            f"{answer['text']}\n```\n\n{about}{answer['tokens']} tokens; contents: {each}.\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    (ROOT / "examples" / "seeds.md").write_text(page(), encoding="utf-8")

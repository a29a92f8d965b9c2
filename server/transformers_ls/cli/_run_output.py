"""What `transformers-ls run` prints: what was found, and what the run took."""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.facts import RunFacts
from transformers_ls.tasks.findings import Finding, Findings, percent
from transformers_ls.tasks.inference import InferenceRun
from transformers_ls.tasks.runs import Run

__all__ = ["print_facts", "print_findings", "print_json"]

_KEYS = {
    "text-classification": "labels",
    "zero-shot-classification": "labels",
    "token-classification": "entities",
    "question-answering": "answers",
    "fill-mask": "words",
}


def print_json(task: Task, run: Run) -> None:
    """Print all of a run that has ended; offsets are code points of the text."""
    answer: dict[str, Any] = {"task": task.id, "text": run.text}
    if isinstance(run, InferenceRun) and (found := run.findings) is not None:
        if key := _KEYS.get(found.kind):
            answer[key] = [_value(found, item) for item in found.items]
        else:
            answer["similarity"] = found.items[0].score
    json.dump(answer | _numbers(run.facts), sys.stdout, indent=2, ensure_ascii=False)
    print()


def print_findings(run: InferenceRun) -> None:
    """Print what was found, a line for each."""
    found = run.findings
    if found is None or not found.items or found.kind == "sentence-similarity":
        print(run.text)
        return
    labels = [" ".join(item.label.split()) for item in found.items]
    width = max(map(len, labels))
    lines = [0, *accumulate(map(len, found.text.splitlines(keepends=True)))]
    for label, item in zip(labels, found.items, strict=True):
        line = f"{label:{width}}  {percent(item.score):>7}"
        if item.span is not None and found.kind != "fill-mask":
            line += f"  line {bisect_right(lines, item.span[0])}"
        if found.kind == "token-classification":
            line += f"  {' '.join(found.quote(item).split())}"
        print(line)


def print_facts(run: Run) -> None:
    """Print what a run took to stderr."""
    facts = run.facts
    if facts.finish_reason == "length":
        print("Stopped at the limit of tokens; --max-new-tokens sets it.", file=sys.stderr)
    if facts.kept:
        print(
            f"{facts.kept} of {facts.parts} parts stayed as they were: the model repeated them, or "
            "lost code or links of them.",
            file=sys.stderr,
        )
    parts = [f"{facts.seconds:.2f} s", facts.model, facts.destination]
    if facts.completion_tokens:
        parts[:1] = [
            f"{facts.completion_tokens} tokens",
            f"{facts.tokens_per_second:.1f} tokens/s",
            f"first after {facts.time_to_first_token:.2f} s",
        ]
    if facts.load_seconds:
        parts.append(f"loaded in {facts.load_seconds:.2f} s")
    if facts.memory_bytes:
        parts.append(f"{facts.memory_bytes / 1e6:,.0f} MB")
    print(" · ".join(parts), file=sys.stderr)


def _value(found: Findings, item: Finding) -> dict[str, Any]:
    value: dict[str, Any] = {"label": item.label, "score": item.score}
    if item.span is not None:
        value |= {"start": item.span[0], "end": item.span[1], "text": found.quote(item)}
    return value


def _numbers(facts: RunFacts) -> dict[str, Any]:
    return {
        "model": facts.model,
        "destination": facts.destination,
        "device": facts.device,
        "dtype": facts.dtype,
        "memoryBytes": facts.memory_bytes,
        "loadSeconds": round(facts.load_seconds, 3),
        "promptTokens": facts.prompt_tokens,
        "completionTokens": facts.completion_tokens,
        "timeToFirstToken": round(facts.time_to_first_token, 3),
        "seconds": round(facts.seconds, 3),
        "tokensPerSecond": round(facts.tokens_per_second, 1),
        "reusedTokens": facts.reused_tokens,
        "acceptedTokens": facts.accepted_tokens,
        "finishReason": facts.finish_reason,
        "parts": facts.parts,
        "kept": facts.kept,
    }

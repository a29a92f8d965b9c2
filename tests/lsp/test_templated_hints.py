"""Inlay hints of messages tell their tokens alone, and with all that the template writes for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import reference_count

URI = "file:///chat.jsonl"
CONTENTS = ["How many tokens are in this line?", "The quick brown fox jumps over the dog."]
WHOLE = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}


@pytest.fixture
def settings(settings) -> dict:
    return settings | {"inlayHints": {"minTokens": 0}}


def row(*contents: str) -> str:
    roles = ["user", "assistant"] * len(contents)
    pairs = zip(roles, contents, strict=False)
    return json.dumps({"messages": [{"role": role, "content": text} for role, text in pairs]})


async def hints(client, span: dict = WHOLE) -> list[dict]:
    found = await client.request(
        "textDocument/inlayHint", {"textDocument": {"uri": URI}, "range": span}
    )
    return sorted(found, key=lambda hint: tuple(hint["position"].values()))


def label(model: str, role: str, content: str) -> str:
    alone = reference_count(Path(model), content)
    part = reference_count(Path(model), f"<|im_start|>{role}\n{content}<|im_end|>\n")
    return f"{alone} tokens → {part} in the prompt"


async def settled(client) -> list[dict]:
    """The hints after the first render, which may take longer than hints wait for."""
    client.open(URI, f"{row(*CONTENTS)}\n{row('Hi there')}\n", "jsonl")
    for _ in range(100):
        found = await hints(client)
        if all("prompt" in hint["label"] for hint in found):
            return found
    raise AssertionError(found)


async def test_both_counts(client, model):
    found = await settled(client)
    assert [hint["label"] for hint in found] == [
        label(model, "user", CONTENTS[0]),
        label(model, "assistant", CONTENTS[1]),
        label(model, "user", "Hi there"),
    ]
    assert "all that the chat template writes" in found[0]["tooltip"]


async def test_a_row_in_the_middle_is_found_at_its_place(client, model):
    await settled(client)
    middle = row("Is this the one?", CONTENTS[1])
    client.change(URI, 2, "\n".join([row(*CONTENTS)] * 3 + [middle] + [row("Hi")] * 3))
    end = {"line": 3, "character": len(middle)}
    span = {"start": {"line": 3, "character": 0}, "end": end}
    for _ in range(100):
        found = await hints(client, span)
        if all("prompt" in hint["label"] for hint in found):
            break
    assert [hint["label"] for hint in found] == [
        label(model, "user", "Is this the one?"),
        label(model, "assistant", CONTENTS[1]),
    ]
    assert {hint["position"]["line"] for hint in found} == {3}


async def test_a_hint_follows_its_message(client, model):
    await settled(client)
    client.change(URI, 2, f"{row(*CONTENTS)}\n{row('Hi there again')}\n")
    for _ in range(100):
        last = (await hints(client))[-1]["label"]
        # Never the templated count of another text: that of this one, or none yet.
        assert last in (
            label(model, "user", "Hi there again"),
            label(model, "user", "Hi there again").split(" →")[0],
        )
        if "prompt" in last:
            return
    raise AssertionError(last)


async def test_hints_wait_for_nothing(client, model, monkeypatch):
    """A template that takes its time holds up no hint; the client is asked to refresh."""
    monkeypatch.setattr("transformers_ls.lsp.templated._PATIENCE_SECONDS", 0.0)
    client.open(URI, row(CONTENTS[0]), "jsonl")
    (first,) = await hints(client)
    assert first["label"] == label(model, "user", CONTENTS[0]).split(" →")[0]
    for _ in range(100):
        asked = len(client.requests["workspace/inlayHint/refresh"])
        (second,) = await hints(client)
        if second["label"] != first["label"]:
            break
        # Each answer without a templated count is followed by a request to ask again.
        await client.until(lambda n=asked: len(client.requests["workspace/inlayHint/refresh"]) > n)
    assert second["label"] == label(model, "user", CONTENTS[0])


async def test_a_chat_that_is_refused_keeps_its_plain_counts(client, model):
    template = Path(model) / "chat_template.jinja"
    before = template.read_text()
    try:
        template.write_text("{{ raise_exception('no') }}")
        client.open(URI, row(CONTENTS[0]), "jsonl")
        for _ in range(3):
            (hint,) = await hints(client)
            assert hint["label"] == label(model, "user", CONTENTS[0]).split(" →")[0]
    finally:
        template.write_text(before)

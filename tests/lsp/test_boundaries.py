"""`transformers/boundaries` cuts texts where the reference library does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.session import FULL_CAPABILITIES, RequestError, position_of, session
from transformers_ls.lsp.server import create_server

URI = "file:///a"


def reference(model: str, text: str):
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(Path(model) / "tokenizer.json")).encode(text)


async def boundaries(client, text: str, start: int = 0, end: int | None = None, **more) -> dict:
    end = len(text) if end is None else end
    span = {"start": position_of(text, start), "end": position_of(text, end)}
    return await client.request(
        "transformers/boundaries", {"textDocument": {"uri": URI}, "range": span, **more}
    )


def pieces(answer: dict) -> list[tuple]:
    """Return (start, end, id, kind, index) of each token."""
    data = answer["data"]
    assert len(data) == 7 * len(answer["tokens"])
    rows = [data[at : at + 7] for at in range(0, len(data), 7)]
    return [
        ({"line": a, "character": b}, {"line": c, "character": d}, token, kind, index)
        for a, b, c, d, token, kind, index in rows
    ]


async def test_a_document_is_one_text(client, model):
    text = "# Café 🙂\n\nwords <|im_end|> 🫠日本\nlast line"
    client.open(URI, text)
    answer = await boundaries(client, text)
    encoding = reference(model, text)
    assert answer["exact"]
    assert not answer["truncated"]
    assert answer["tokens"] == encoding.tokens
    assert [(start, end, token) for start, end, token, _, _ in pieces(answer)] == [
        (position_of(text, start), position_of(text, end), token)
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
    ]
    kinds = {
        token: kind for token, (*_, kind, _) in zip(answer["tokens"], pieces(answer), strict=True)
    }
    assert kinds["<|im_end|>"] == 2
    assert 1 in kinds.values()
    assert [index for *_, index in pieces(answer)] == list(range(len(encoding.ids)))


async def test_a_part_has_the_tokens_of_the_whole(client, model):
    text = "one two three\nfour five six\nseven eight"
    client.open(URI, text)
    whole = pieces(await boundaries(client, text))
    start, end = text.index("our"), text.index("six")
    part = pieces(await boundaries(client, text, start, end))
    assert part
    assert part == whole[part[0][-1] : part[-1][-1] + 1]
    limited = await boundaries(client, text, limit=2)
    assert limited["truncated"]
    assert pieces(limited) == whole[:2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_texts_of_data_by_themselves(model, settings, encoding):
    content = 'é🙂 "two"\nthree'
    text = json.dumps({"messages": [{"role": "user", "content": content}]})
    capabilities = FULL_CAPABILITIES | {"general": {"positionEncodings": [encoding]}}
    async with session(create_server(), settings) as client:
        await client.initialize(capabilities)
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open(URI, text, "json")
        answer = await boundaries(client, text)
        assert answer["tokens"] == reference(model, content).tokens
        first, last = pieces(answer)[0], pieces(answer)[-1]
        assert first[0]["character"] == text.index("\\u00e9")
        assert last[1]["character"] == text.index('"}]}')


async def test_code_outside_of_strings_has_none(client, model):
    text = 'x = 1\nPROMPT = "one\\ttwo"\ny = f"{x} unknown"\n'
    client.open(URI, text, "python")
    answer = await boundaries(client, text)
    assert answer["tokens"] == reference(model, "one\ttwo").tokens
    assert (await boundaries(client, text, 0, 5))["tokens"] == []


async def test_parts_of_long_texts_are_those_of_the_whole(client, model):
    text = "some words in a line\n" * 5000
    client.open(URI, text)
    start = text.index("words", 60_000)
    answer = await boundaries(client, text, start, start + 200)
    assert answer["exact"]
    encoding = reference(model, text)
    wanted = [
        token
        for token, (first, last) in zip(encoding.ids, encoding.offsets, strict=True)
        if last > start and first < start + 200
    ]
    assert [token for _, _, token, _, _ in pieces(answer)] == wanted


async def test_no_tokenizer_is_an_answer(client, model):
    client.open(URI, "some text")
    answer = await boundaries(client, "some text", model="/no/such/model")
    assert answer["state"] in ("loading", "failed")
    await client.ready("/no/such/model")
    answer = await boundaries(client, "some text", model="/no/such/model")
    assert answer["state"] == "failed"
    assert answer["message"]
    with pytest.raises(RequestError, match="not open"):
        await client.request(
            "transformers/boundaries",
            {
                "textDocument": {"uri": "file:///none"},
                "range": {"start": position_of("", 0), "end": position_of("", 0)},
            },
        )

"""The hover names the token under the cursor, as the primary tokenizer cuts the model's text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.session import position_of, session
from transformers_ls.lsp.server import create_server

URI = "file:///a"


async def hover(client, text: str, offset: int) -> str:
    params = {"textDocument": {"uri": URI}, "position": position_of(text, offset)}
    return (await client.request("textDocument/hover", params))["contents"]["value"]


def reference(model: str, text: str, offset: int) -> tuple[int, str]:
    """Return the id and the spelling of the token at an offset."""
    from tokenizers import Tokenizer

    encoding = Tokenizer.from_file(str(Path(model) / "tokenizer.json")).encode(text)
    number = next(n for n, (start, end) in enumerate(encoding.offsets) if start <= offset < end)
    return encoding.ids[number], encoding.tokens[number]


@pytest.mark.parametrize("offset", [3, 9, 20])
async def test_in_text(client, model, offset):
    text = "Say hello world, please: a fox.\n"
    client.open(URI, text, "plaintext")
    token, spelling = reference(model, text, offset)
    line = (await hover(client, text, offset)).split("\n\n")[1]
    assert f" · id {token} · `{spelling}` in the vocabulary" in line
    assert line.endswith(Path(model).name.replace("_", "\\_"))


async def test_escapes_are_resolved(client, model):
    """The token is one of what the model gets, and the cursor is on its escape in the source."""
    content = 'one\n"two" three caf\u00e9s'
    source = json.dumps([{"role": "user", "content": content}])
    client.open(URI, source, "json")
    for part, place in (("\n", "\\n"), ('"two', '\\"two'), ("three", "three"), ("s", "s'")):
        at = source.index(place.rstrip("'")) if part != "s" else source.rindex("s")
        token, _ = reference(model, content, content.rindex(part))
        assert f"id {token} " in await hover(client, source, at)


async def test_special_and_byte_tokens(client, model):
    text = "a line with <|im_end|> and a🫠 in it"
    client.open(URI, text, "plaintext")
    token, _ = reference(model, text, text.index("im_end"))
    assert f"`<|im_end|>` is one control token, id {token}, not text" in await hover(
        client, text, text.index("im_end")
    )
    token, spelling = reference(model, text, text.index("🫠"))
    value = await hover(client, text, text.index("🫠"))
    assert f"`🫠` is 3 tokens of bytes: {token} `{spelling}`, " in value


async def test_outside_of_the_text_and_at_the_end(client, model):
    source = json.dumps([{"role": "user", "content": "one two three"}])
    client.open(URI, source, "json")
    assert "as it stands in the file" in await hover(client, source, source.index("role"))
    client.open(URI, "some words in a line\n", "plaintext")
    assert "token" not in (await hover(client, "some words in a line\n", 21)).split("|")[0]


async def test_the_token_can_be_switched_off_and_the_window_chosen(model, settings):
    more = {"hover": {"token": False}, "contextWindows": {model: 77}}
    async with session(create_server(), settings | more) as client:
        await client.initialize()
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open(URI, "some words in a line", "plaintext")
        value = await hover(client, "some words in a line", 3)
        assert "vocabulary" not in value
        assert "of 77 |" in value
        assert "window from the setting transformers.contextWindows" in value
        counts = await client.request(
            "transformers/count", {"textDocument": {"uri": URI}, "ranges": []}
        )
        assert counts["models"][0]["window"] == 77

"""Chat templates are documents with problems, completions, hovers and a preview of their own."""

from __future__ import annotations

import pytest

from tests.lsp.test_runs import apply
from tests.support.session import (
    FULL_CAPABILITIES,
    RequestError,
    position_of,
    range_of,
    session,
)
from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.lsp.server import create_server

URI = "file:///chat_template.jinja"
GOOD = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + eos_token + '\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)


async def problems(client, uri: str = URI) -> list[dict]:
    report = await client.request("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    return report["items"]


@pytest.mark.parametrize("language", ["jinja", "jinja2", "jinja-html", "plaintext"])
async def test_a_syntax_error_is_marked_at_its_place(client, language):
    text = "😀{% for m in messages %}{{ m.content }"
    client.open(URI, text, language)
    (problem,) = await problems(client)
    assert problem["code"] == "template-syntax"
    assert problem["severity"] == 1
    assert problem["range"] == {
        "start": {"line": 0, "character": len(text) - 1 + 1},
        "end": {"line": 0, "character": len(text) + 1},
    }


async def test_advice_comes_with_a_fix(client):
    text = GOOD.replace("message.content", "message.content.strip()")
    client.open(URI, text, "jinja")
    (problem,) = await problems(client)
    assert problem["code"] == "python-method"
    assert problem["severity"] == 4
    assert problem["range"] == range_of(text, "strip")
    actions = await client.request(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": URI},
            "range": problem["range"],
            "context": {"diagnostics": [problem], "only": ["quickfix"]},
        },
    )
    repaired = text
    for edit in reversed(actions[0]["edit"]["documentChanges"][0]["edits"]):
        repaired = apply(repaired, {"documentChanges": [{"edits": [edit]}]})
    assert "message.content|trim + eos_token" in repaired
    client.change(URI, 2, repaired)
    assert await problems(client) == []


async def test_an_unchanged_template_is_not_reported_twice(client):
    client.open(URI, "{% if %}", "jinja")
    params = {"textDocument": {"uri": URI}}
    first = await client.request("textDocument/diagnostic", params)
    again = await client.request(
        "textDocument/diagnostic", params | {"previousResultId": first["resultId"]}
    )
    assert again["kind"] == "unchanged"


async def test_the_tokenizer_beside_the_file_says_which_tokens_there_are(client, tmp_path):
    folder = make_tokenizer(tmp_path / "own", chat=False)
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text().replace("{", '{"image_token": "<image>", ', 1))
    uri = (folder / "chat_template.jinja").as_uri()
    client.open(uri, "{{ image_token }}{{ video_token }}", "jinja")
    (problem,) = await problems(client, uri)
    assert "video_token" in problem["message"]


async def test_other_jinja_files_are_left_alone(client):
    client.open("file:///page.jinja", "{% extends 'base' %}{% trans %}Hi{% endtrans %}", "jinja")
    assert await problems(client, "file:///page.jinja") == []


def place(text: str) -> tuple[str, dict]:
    """Return a text without its mark, and the position params of the mark."""
    offset = text.index("§")
    text = text.replace("§", "")
    return text, {"textDocument": {"uri": URI}, "position": position_of(text, offset)}


SNIPPETS = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}


@pytest.mark.parametrize("snippets", [True, False])
async def test_completions_replace_what_is_typed(model, engine, snippets):
    server = create_server()
    server.engine = engine
    async with session(server, {"tokenizers": [model]}) as client:
        await client.initialize(FULL_CAPABILITIES | (SNIPPETS if snippets else {}))
        await client.until(lambda: server.configuration.all_tokenizers() == [model])
        text, params = place("😀{{ raise_§ }}")
        client.open(URI, text, "jinja")
        found = await client.request("textDocument/completion", params)
        items = {item["label"]: item for item in found["items"]}
        raising = items["raise_exception"]
        assert raising["textEdit"]["range"] == range_of(text, "raise_")
        assert raising["textEdit"]["newText"] == (
            "raise_exception($1)" if snippets else "raise_exception"
        )
        assert raising["insertTextFormat"] == (2 if snippets else 1)
        assert items["eos_token"]["detail"] == "'<|im_end|>'"
        assert "messages" in items


async def test_completion_is_for_templates_only(client):
    client.open("file:///a.py", "print(messages.", "python")
    params = {"textDocument": {"uri": "file:///a.py"}, "position": {"line": 0, "character": 15}}
    assert await client.request("textDocument/completion", params) is None


async def test_a_new_template_has_completions(client):
    text, params = place("{% for message in mess§")
    params["textDocument"]["uri"] = "untitled:Untitled-1"
    client.open("untitled:Untitled-1", text, "jinja")
    found = await client.request("textDocument/completion", params)
    assert "messages" in {item["label"] for item in found["items"]}


async def test_words_have_hovers_and_other_places_counts(client):
    text, params = place("{{ eos_§token }}")
    client.open(URI, text, "jinja")
    hover = await client.request("textDocument/hover", params)
    assert "<|im_end|>" in hover["contents"]["value"]
    assert hover["range"] == range_of(text, "eos_token")
    hover = await client.request(
        "textDocument/hover", params | {"position": {"line": 0, "character": 1}}
    )
    assert "| tokenizer |" in hover["contents"]["value"]


async def test_definitions_and_the_outline(client):
    text, params = place(
        "{% set total = 1 %}\n{% macro show(part) %}{{ part }}{% endmacro %}\n{{ sh§ow(total) }}"
    )
    client.open(URI, text, "jinja")
    found = await client.request("textDocument/definition", params)
    assert found["range"]["start"] == {"line": 1, "character": len("{% macro ")}
    outline = await client.request("textDocument/documentSymbol", {"textDocument": {"uri": URI}})
    assert [(one["name"], one["detail"]) for one in outline] == [
        ("total", "int"),
        ("show", "show(part)"),
    ]


async def render(client, **more) -> dict:
    return await client.request("transformers/render", {"textDocument": {"uri": URI}} | more)


async def test_a_template_is_shown_on_sample_chats(client):
    client.open(URI, GOOD, "jinja")
    first = await render(client)
    assert first["templateSource"] == "chat_template.jinja"
    assert first["sample"] == first["samples"][0]
    assert first["text"].startswith("<|im_start|>user\n")
    assert first["text"].endswith("<|im_end|>\n<|im_start|>assistant\n")
    system = await render(client, sample="system", addGenerationPrompt=False)
    assert system["text"].startswith("<|im_start|>system\n")
    assert [message["role"] for message in system["messages"]][:2] == ["system", "user"]
    assert system["tokens"] == sum(message["tokens"] for message in system["messages"])


async def test_every_sample_can_be_rendered(client):
    text = (
        "{{ messages | tojson }}{{ tools | tojson }}{{ documents | tojson }}{{ enable_thinking }}"
    )
    client.open(URI, text, "jinja")
    for sample in (await render(client))["samples"]:
        shown = await render(client, sample=sample)
        assert '"role"' in shown["text"]
        assert ("get_weather" in shown["text"]) == (sample == "tools")
        assert ("image" in shown["text"]) == (sample == "images")


async def test_the_preview_shows_the_text_as_it_is_now(client):
    client.open(URI, "{{ messages[0].content }}", "jinja")
    before = await render(client)
    client.change(URI, 2, "{{ messages[0].content | upper }}")
    after = await render(client)
    assert after["text"] == before["text"].upper()
    assert after["version"] == 2


async def test_what_cannot_be_rendered_says_why(client):
    client.open(URI, "{{ messages[0 }}", "jinja")
    with pytest.raises(RequestError) as caught:
        await render(client)
    assert caught.value.data["code"] == "template-raised"
    client.change(URI, 2, "{{ 1 }}")
    with pytest.raises(RequestError, match="single turn"):
        await render(client, sample="nothing")

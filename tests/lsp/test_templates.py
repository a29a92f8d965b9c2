"""Chat templates are documents with problems, completions, hovers and a preview of their own."""

from __future__ import annotations

import pytest

from tests.lsp.test_runs import apply
from tests.support.session import range_of
from tests.support.tiny_tokenizer import make_tokenizer

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

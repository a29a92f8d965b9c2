"""Hover, inlay hints, code lens and `transformers/count` agree with the reference library."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.support.fake_hub import COMMIT
from tests.support.session import Session, position_of, range_of, session
from tests.support.tiny_tokenizer import make_tokenizer, reference_count
from transformers_ls.lsp.server import create_server

MARKDOWN = """# Release notes

The quick brown fox jumps over the lazy dog. 日本語 🙂 and more words follow here.

## Example

```python
def main() -> None:
    print("hello world")
```
"""
PYTHON = """PROMPT = "You are a helpful assistant.\\nAnswer briefly. Caf\\u00e9 \\U0001f642"
GREETING = f"Hello {name}, how are you doing today, my dear friend?"
"""
CHAT = json.dumps(
    {
        "messages": [
            {"role": "system", "content": 'You are "helpful".\nAnswer in one line, please.'},
            {"role": "user", "content": "Caf\u00e9 \U0001f642 or tea? I cannot decide today."},
        ]
    },
    indent=2,
)


def _document(uri: str) -> dict:
    return {"textDocument": {"uri": uri}}


async def hover(client: Session, uri: str, text: str, part: str) -> str:
    offset = text.index(part) + 1
    params = _document(uri) | {"position": position_of(text, offset)}
    return (await client.request("textDocument/hover", params))["contents"]["value"]


def row(markdown: str, model: str) -> list[str]:
    """Return the numbers of a model's row of the hover table."""
    name = re.sub(r"([_])", r"\\\1", Path(model).name)
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


async def test_hover_counts_the_section_and_the_document(client, model):
    client.open("file:///a.md", MARKDOWN)
    value = await hover(client, "file:///a.md", MARKDOWN, "quick")
    here, document, window = row(value, model)
    # The section of the only first-level heading is the text without its last line end.
    assert here == str(reference_count(Path(model), MARKDOWN.rstrip("\n")))
    assert document == str(reference_count(Path(model), MARKDOWN))
    assert "of 8,192" in window
    assert "config.json" in value


@pytest.mark.parametrize(
    ("language", "text", "part", "wanted"),
    [
        ("markdown", MARKDOWN, "def main", 'def main() -> None:\n    print("hello world")'),
        (
            "python",
            PYTHON,
            "helpful",
            "You are a helpful assistant.\nAnswer briefly. Caf\u00e9 \U0001f642",
        ),
        ("json", CHAT, "helpful", 'You are "helpful".\nAnswer in one line, please.'),
        ("json", CHAT, "cannot", "Caf\u00e9 \U0001f642 or tea? I cannot decide today."),
    ],
)
async def test_hover_counts_what_the_model_gets(client, model, language, text, part, wanted):
    """Escapes are resolved: the count is that of the text, not of its source."""
    client.open("file:///a", text, language)
    here, document, _ = row(await hover(client, "file:///a", text, part), model)
    assert here == str(reference_count(Path(model), wanted))
    assert document == str(reference_count(Path(model), text))


async def test_what_only_the_running_program_knows_is_marked(client, model):
    client.open("file:///a.py", PYTHON, "python")
    here, *_ = row(await hover(client, "file:///a.py", PYTHON, "Hello"), model)
    assert here.startswith("≈")


async def test_every_configured_tokenizer_has_a_row(model, tmp_path):
    other = str(make_tokenizer(tmp_path / "other", window=100))
    async with session(create_server(), {"tokenizers": [model, other]}) as client:
        await client.initialize()
        await client.until(lambda: len(client.server.configuration.all_tokenizers()) == 2)
        await client.ready(model, other)
        client.open("file:///a.txt", "many words in one line", "plaintext")
        value = await hover(client, "file:///a.txt", "many words in one line", "words")
        assert "of 8,192" in row(value, model)[-1]
        assert "of 100" in row(value, other)[-1]


async def test_a_revision_of_a_model_in_the_cache(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--name"
    make_tokenizer(repository / "snapshots" / COMMIT, window=100)
    (repository / "refs").mkdir()
    (repository / "refs" / "v1.0").write_text(COMMIT)
    name = "org/name@v1.0"
    async with session(create_server(), {"tokenizers": [name, "org/name@v2.0"]}) as client:
        await client.initialize()
        await client.until(lambda: len(client.server.configuration.all_tokenizers()) == 2)
        await client.ready(name, "org/name@v2.0")
        text = "many words in one line"
        client.open("file:///a.txt", text, "plaintext")
        value = await hover(client, "file:///a.txt", text, "words")
    expected = reference_count(repository / "snapshots" / COMMIT, text)
    assert f"| {name} | {expected} | {expected} | " in value
    assert "of 100 |" in value
    # The other revision is not there, which says nothing of this one.
    (line,) = [line for line in value.splitlines() if line.startswith("| org/name@v2.0")]
    assert "…" in line


async def test_inlay_hints_are_those_of_the_regions(client, model):
    client.open("file:///a.json", CHAT, "json")
    hints = await _hints(client, "file:///a.json", CHAT)
    contents = [message["content"] for message in json.loads(CHAT)["messages"]]
    assert [hint["label"] for hint in hints] == [
        f"{reference_count(Path(model), content)} tokens" for content in contents
    ]
    assert [hint["position"]["line"] for hint in hints] == sorted(
        hint["position"]["line"] for hint in hints
    )


async def test_inlay_hints_keep_to_the_range_and_the_threshold(model, settings, engine):
    server = create_server()
    server.engine = engine
    async with session(server, settings | {"inlayHints": {"minTokens": 1000}}) as client:
        await client.initialize()
        await client.until(lambda: server.configuration.for_uri("").inlay_hints.min_tokens == 1000)
        await client.ready(model)
        client.open("file:///a.json", CHAT, "json")
        assert await _hints(client, "file:///a.json", CHAT) == []
    async with session(create_server(), settings) as client:
        await client.initialize()
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open("file:///a.json", CHAT, "json")
        span = range_of(CHAT, '"user"')
        hints = await client.request(
            "textDocument/inlayHint",
            _document("file:///a.json") | {"range": {"start": span["start"], "end": _end(CHAT)}},
        )
        assert len(hints) == 1


async def test_code_lens_counts_the_document(client, model):
    client.open("file:///a.md", MARKDOWN)
    (lens,) = await client.request("textDocument/codeLens", _document("file:///a.md"))
    title = lens["command"]["title"]
    assert title.startswith(
        f"{reference_count(Path(model), MARKDOWN)} tokens · {Path(model).name} · "
    )
    assert title.endswith(" % of 8,192")


SECTIONS = "# Title\n\nintro words\n\n## One\n\nfirst part\n\n### Deep\n\nx y\n\n## Two\n\nsecond\n"


async def test_code_lenses_of_top_level_sections(client, model):
    client.open("file:///a.md", SECTIONS)
    document, *sections = await client.request("textDocument/codeLens", _document("file:///a.md"))
    whole = reference_count(Path(model), SECTIONS)
    assert document["command"]["title"].startswith(f"{whole} tokens")
    # One title holds all the rest, so the sections are those below it.
    texts = [SECTIONS[SECTIONS.index("## One") : SECTIONS.index("\n\n## Two")], "## Two\n\nsecond"]
    assert [lens["range"]["start"]["line"] for lens in sections] == [4, 12]
    for lens, text in zip(sections, texts, strict=True):
        tokens = reference_count(Path(model), text)
        share = f"{100 * tokens / whole:.0f} %"
        assert lens["command"]["title"] == f"{tokens} tokens · {share} of the document"


async def test_code_lenses_of_long_documents_are_counted_when_shown(client, model):
    text = "# A\n\n" + "many words here\n" * 8000 + "\n# B\n\nfew words\n"
    client.open("file:///a.md", text)
    lenses = await client.request("textDocument/codeLens", _document("file:///a.md"))
    assert [lens.get("command") for lens in lenses] == [None, None, None]
    whole, _, last = [await client.request("codeLens/resolve", lens) for lens in lenses]
    assert whole["command"]["title"].startswith(f"{reference_count(Path(model), text):,} tokens")
    tokens = reference_count(Path(model), "# B\n\nfew words")
    assert last["command"]["title"] == f"{tokens} tokens · 0 % of the document"
    client.change("file:///a.md", 2, text + "more")
    stale = await client.request("codeLens/resolve", lenses[0])
    assert stale["command"]["title"] == "…"


async def test_section_lenses_can_be_switched_off(model, settings):
    async with session(create_server(), settings | {"codeLens": {"sections": False}}) as client:
        await client.initialize()
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open("file:///a.md", SECTIONS)
        lenses = await client.request("textDocument/codeLens", _document("file:///a.md"))
        assert len(lenses) == 1


async def test_inlay_hints_as_the_user_wants_them(model, settings):
    hints = {"kinds": ["section"], "format": "{kind}: {tokens}/{window} ({percent}) {what} {model}"}
    async with session(create_server(), settings | {"inlayHints": hints}) as client:
        await client.initialize()
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open("file:///a.md", MARKDOWN)
        first, second = await _hints(client, "file:///a.md", MARKDOWN)
        tokens = reference_count(Path(model), MARKDOWN.rstrip("\n"))
        assert first["label"] == (
            f"section: {tokens}/8,192 ({100 * tokens / 8192:.1f} %) {{what}} {Path(model).name}"
        )
        assert second["label"].startswith("section: ")
        client.open("file:///a.json", CHAT, "json")
        assert await _hints(client, "file:///a.json", CHAT) == []


async def test_counts_of_ranges_in_one_request(client, model):
    client.open("file:///a.md", MARKDOWN)
    parts = ["quick brown", "日本語 🙂 and", "print"]
    params = _document("file:///a.md") | {"ranges": [range_of(MARKDOWN, part) for part in parts]}
    answer = await client.request("transformers/count", params)
    (counts,) = answer["models"]
    assert counts["tokens"] == [reference_count(Path(model), part) for part in parts]
    assert counts["exact"] is True
    assert counts["window"] == 8192
    whole = await client.request("transformers/count", _document("file:///a.md") | {"ranges": []})
    assert whole["models"][0]["tokens"] == [reference_count(Path(model), MARKDOWN)]


async def test_counts_follow_edits(client, model):
    text = "one two three"
    client.open("file:///a.txt", text, "plaintext")
    for version, extra in enumerate([" four", " five", "\n\n", "🙂"], 2):
        end = position_of(text, len(text))
        client.change("file:///a.txt", version, ({"start": end, "end": end}, extra))
        text += extra
        answer = await client.request(
            "transformers/count", _document("file:///a.txt") | {"ranges": []}
        )
        assert answer["version"] == version
        assert answer["models"][0]["tokens"] == [reference_count(Path(model), text)]


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
async def test_a_process_that_ends_under_a_hover_is_not_noticed(client, model):
    """The hover's questions are on their way when the process that would answer them is killed."""
    client.open("file:///a.md", MARKDOWN)
    await hover(client, "file:///a.md", MARKDOWN, "quick")
    counter = client.server.tokenizers.get(model).counter
    pid = counter.pid
    os.kill(pid, signal.SIGSTOP)
    text = MARKDOWN.replace("lazy", "very lazy")
    client.change("file:///a.md", 2, text)
    params = _document("file:///a.md") | {"position": position_of(text, text.index("quick"))}
    _, answer = client.start("textDocument/hover", params)
    await client.until(lambda: counter._process._waiting)
    os.kill(pid, signal.SIGKILL)
    value = (await asyncio.wait_for(answer, 30))["contents"]["value"]
    assert row(value, model)[1] == str(reference_count(Path(model), text))
    assert " · id " in value
    assert counter.pid != pid


async def test_a_loading_tokenizer_says_so_and_refreshes(model, settings, monkeypatch):
    import threading

    gate = threading.Event()
    server = create_server()
    resolve = server.tokenizers._resolve
    monkeypatch.setattr(
        server.tokenizers, "_resolve", lambda name: (gate.wait(30), resolve(name))[1]
    )
    async with session(server, settings) as client:
        await client.initialize()
        # The new settings refresh once by themselves.
        await client.until(lambda: client.requests["workspace/inlayHint/refresh"])
        client.open("file:///a.md", MARKDOWN)
        value = await hover(client, "file:///a.md", MARKDOWN, "quick")
        assert "loading the tokenizer" in value
        (lens,) = await client.request("textDocument/codeLens", _document("file:///a.md"))
        assert "loading the tokenizer" in lens["command"]["title"]
        assert await _hints(client, "file:///a.md", MARKDOWN) == []
        asked = len(client.requests["workspace/inlayHint/refresh"])
        gate.set()
        await client.until(lambda: len(client.requests["workspace/inlayHint/refresh"]) > asked)
        assert client.requests["workspace/codeLens/refresh"]
        assert await _hints(client, "file:///a.md", MARKDOWN)


async def test_features_can_be_switched_off(model, settings):
    off = {name: {"enabled": False} for name in ("hover", "inlayHints", "codeLens")}
    async with session(create_server(), settings | off) as client:
        await client.initialize()
        await client.until(lambda: client.server.configuration.all_tokenizers() == [model])
        await client.ready(model)
        client.open("file:///a.md", MARKDOWN)
        params = _document("file:///a.md")
        at = {"position": {"line": 0, "character": 3}}
        assert await client.request("textDocument/hover", params | at) is None
        assert await client.request("textDocument/codeLens", params) == []
        assert await _hints(client, "file:///a.md", MARKDOWN) == []


async def _hints(client: Session, uri: str, text: str) -> list:
    whole = {"start": {"line": 0, "character": 0}, "end": _end(text)}
    return await client.request("textDocument/inlayHint", _document(uri) | {"range": whole})


def _end(text: str) -> dict:
    return position_of(text, len(text))

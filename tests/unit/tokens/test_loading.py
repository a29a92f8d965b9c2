"""Loading: what is cached, what is inexact and why, and what each kind of broken file says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.errors import ModelBrokenError, ModelNotFoundError
from transformers_ls.tokens import children, sources, tokenizers
from transformers_ls.tokens.counter import Counter
from transformers_ls.tokens.engines import build_counter
from transformers_ls.tokens.pipeline import Pipeline
from transformers_ls.tokens.tokenizers import load_counter, prepare


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tokenizer(tmp_path_factory.mktemp("tiny"))


def edited(tiny: Path, target: Path, **changes: object) -> Path:
    """Copy the tiny tokenizer's tokenizer.json with some top-level values changed."""
    target.mkdir(exist_ok=True)
    values = json.loads((tiny / "tokenizer.json").read_text())
    (target / "tokenizer.json").write_text(json.dumps({**values, **changes}))
    return target / "tokenizer.json"


def test_the_second_load_runs_no_helper(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(tiny)
    monkeypatch.setattr(tokenizers, "run_helper", lambda *_: pytest.fail("ran a helper"))
    assert prepare(tiny) == first
    assert load_counter(tiny).exact


@pytest.mark.parametrize("spoilt", ["{", "[]", '{"exact": true}'])
def test_a_spoilt_cache_is_made_again(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str
) -> None:
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path))
    file = tiny / "tokenizer.json"
    first = prepare(file)
    [facts] = tmp_path.glob("tokenizers/*/facts.json")
    facts.write_text(spoilt)
    assert prepare(file) == first
    assert json.loads(facts.read_text())["engine"] == first.engine
    assert [*tmp_path.glob("tokenizers/.making-*")] == []


def test_what_a_killed_process_left_is_removed_later(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path))
    left, made_now = (tmp_path / "tokenizers" / f".making-{name}" for name in ("left", "now"))
    for folder in (left, made_now):
        folder.mkdir(parents=True)
        (folder / "tokenizer.json").write_text("{")
    os.utime(left, (0, 0))
    prepare(tiny / "tokenizer.json")
    assert not left.exists()
    assert made_now.exists()


def test_other_contents_are_another_tokenizer(tiny: Path, tmp_path: Path) -> None:
    before = sources.fingerprint(sources.find_source(tiny / "tokenizer.json"))
    file = edited(tiny, tmp_path / "copy")
    assert sources.fingerprint(sources.find_source(file)) != before, "reformatted"
    file.write_bytes((tiny / "tokenizer.json").read_bytes())
    assert sources.fingerprint(sources.find_source(file)) == before


def test_truncation_and_padding_in_the_file_do_not_count(tiny: Path, tmp_path: Path) -> None:
    limits = {
        "truncation": {
            "max_length": 4, "stride": 0, "strategy": "LongestFirst", "direction": "Right",
        },
        "padding": {
            "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>",
        },
    }  # fmt: skip
    limited = load_counter(edited(tiny, tmp_path / "limited", **limits))
    free = load_counter(tiny / "tokenizer.json")
    for text in ("", "Hi", "The quick brown fox. " * 50):
        assert limited.count(text) == free.count(text) == len(limited.encode(text).ids)


def test_without_fast_engines_the_reference_counts(tiny: Path) -> None:
    pipeline = Pipeline(
        tiny / "tokenizer.json",
        exact=True,
        reason="",
        added_tokens=0,
        special_tokens=frozenset(),
        engine="",
    )
    counter = build_counter(pipeline)
    assert counter.name == "tokenizers"
    assert counter.count("hello é") == load_counter(tiny).count("hello é")


def test_what_transformers_cannot_load_is_counted_raw_and_marked(
    tiny: Path, tmp_path: Path
) -> None:
    folder = edited(tiny, tmp_path / "remote").parent
    config = {"auto_map": {"AutoTokenizer": ["mine.MyTokenizer", None]}, "tokenizer_class": "Mine"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of a repository was run')")
    counter = load_counter(folder)
    assert not counter.exact
    assert "transformers could not load it" in counter.reason
    assert counter.count("hello") == load_counter(tiny).count("hello")


def test_code_in_the_current_folder_is_not_run(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("transformers", "tokenizers", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path / "cache"))
    assert load_counter(tiny).exact


BROKEN = {
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "not JSON": lambda _: b"<html>404</html>",
    "not a tokenizer": lambda _: b'{"a": 1}',
    "deep": lambda _: b'{"a":' * 100_000 + b"}" * 100_000,
    "binary": lambda _: os.urandom(4096) + b"}",
    "null model": lambda _: b'{"version": "1.0", "model": null, "added_tokens": []}',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files(tiny: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_bytes(BROKEN[kind]((tiny / "tokenizer.json").read_bytes()))
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json") as raised:
        load_counter(file)
    assert raised.value.hint


def test_a_broken_folder(tiny: Path, tmp_path: Path) -> None:
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text('{"a": 1}')
    with pytest.raises(ModelBrokenError, match="cannot be read"):
        load_counter(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(ModelBrokenError, match="1,024 MB"):
        load_counter(file)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        load_counter(tmp_path / "none")
    with pytest.raises(ModelNotFoundError, match="holds no tokenizer"):
        load_counter(tmp_path)
    (tmp_path / "x.gguf").write_bytes(b"GG")
    with pytest.raises(ModelBrokenError, match="not a GGUF"):
        load_counter(tmp_path / "x.gguf")


def test_helpers_that_fail_are_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No module named" in children.run_helper("transformers_ls.no_such_module")["error"]
    monkeypatch.setattr(children, "SECONDS", 0.01)
    assert "seconds" in children.run_helper("transformers_ls.tokens.selfcheck")["error"]


def test_pieces(tiny: Path) -> None:
    counter: Counter = load_counter(tiny)
    text = "Hi <|im_end|>🙂 there"
    found = counter.pieces(text)
    assert [piece.id for piece in found] == counter.encode(text).ids
    (special,) = counter.pieces(text, text.index("im_end"), text.index("im_end") + 1)
    assert (special.kind, special.token) == ("special", "<|im_end|>")
    emoji = [piece for piece in found if text[piece.start : piece.end] == "🙂"]
    assert {piece.kind for piece in emoji} == ({"byte"} if len(emoji) > 1 else {"text"})
    assert counter.pieces(text, 3, 4) == [special]
    assert counter.pieces(text, len(text)) == []
    assert [piece.index for piece in found] == list(range(len(found)))

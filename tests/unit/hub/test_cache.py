"""The Hub's cache, as huggingface_hub lays it out: what is in it, and what is asked for wrongly."""

import pytest

from tests.support.fake_hub import COMMIT
from tests.support.tiny_gguf import WINDOW, write_gguf
from transformers_ls.errors import ModelNotFoundError
from transformers_ls.hub.cache import cached_models, cached_revisions
from transformers_ls.hub.facts import model_facts
from transformers_ls.hub.resolve import resolve
from transformers_ls.tokens.window import context_window

OTHER = "f" * 40


def put(cache, repo, commit=COMMIT, refs=("main",)):
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "llama"}')
    for ref in refs:
        (root / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (root / "refs" / ref).write_text(commit)
    return snapshot


def test_what_is_there(cache):
    assert cached_models() == []
    first = put(cache, "org/b")
    put(cache, "org/a")
    put(cache, "org/a", OTHER, refs=["refs/pr/1"])
    (cache / "datasets--org--x").mkdir()
    (cache / "models--org--broken").mkdir()
    assert [model.name for model in cached_models()] == ["org/a", "org/a@refs/pr/1", "org/b"]
    assert cached_models()[-1].folder == first
    for model in cached_models():
        assert resolve(model.name).folder == model.folder


@pytest.mark.parametrize("refs", [[], ["v1.0"], ["v1.0", "v2.0"]])
def test_only_a_revision_is_there(refs, cache):
    put(cache, "org/name", refs=refs)
    known = refs or [COMMIT]
    assert cached_revisions("org/name") == known
    for name in ("org/name", "org/name@v9"):
        with pytest.raises(ModelNotFoundError) as raised:
            resolve(name)
        assert "Did you mean" not in str(raised.value)
        assert f"`org/name@{known[0]}`" in raised.value.hint
    for revision in known:
        assert resolve(f"org/name@{revision}").origin == "cache"


def test_a_gguf_file_is_known_by_its_header(tmp_path):
    pytest.importorskip("gguf")
    (tmp_path / "scratch").mkdir()
    path = write_gguf(tmp_path / "tiny.gguf", tmp_path / "scratch")
    facts = model_facts(path)
    assert (facts.kind, facts.window, facts.quantization) == ("chat", WINDOW, "gguf")
    assert facts.generates
    assert context_window(path).tokens == WINDOW
    assert "context_length" in context_window(path).source
    path.write_bytes(path.read_bytes()[:60])
    facts = model_facts(path)
    assert not facts.generates
    assert context_window(path).tokens is None

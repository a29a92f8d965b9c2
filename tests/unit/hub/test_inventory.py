"""What is listed of the models on this machine, and what a model with an adapter is chosen for."""

import json
import shutil

import pytest

from tests.support.tiny_tokenizer import CHAT_TEMPLATE
from tests.unit.hub.test_adapters import adapter, base, in_cache, make_adapter  # noqa: F401
from tests.unit.hub.test_cache import put
from transformers_ls.cli import main
from transformers_ls.errors import ModelError, ModelNotFoundError
from transformers_ls.hub.inventory import list_models
from transformers_ls.settings import ModelSettings
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.choose import choose_model


@pytest.fixture
def listed(capsys):
    """Return what `models list --json` says, by name."""

    def ask():
        with pytest.raises(SystemExit) as ended:
            main(("models", "list", "--json"))
        assert ended.value.code == 0
        models = json.loads(capsys.readouterr().out)["models"]
        return {model["name"]: model for model in models}

    return ask


def test_the_cache_is_listed(listed, cache, base):  # noqa: F811
    assert all(model["origin"] == "embedded" for model in listed().values())
    in_cache(cache, "org/model", base)
    put(cache, "org/bare")
    put(cache, "org/pinned", refs=["v2"])
    models = listed()
    assert list(models)[-3:] == ["org/bare", "org/model", "org/pinned@v2"]
    model = models["org/model"]
    assert (model["kind"], model["window"], model["origin"]) == ("base", 512, "cache")
    assert "summarize" in model["tasks"]
    assert "fill-mask" not in model["tasks"]
    assert models["org/bare"]["tasks"] == []


def test_adapters_are_listed(listed, cache, base, adapter, capsys):  # noqa: F811
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    in_cache(cache, "org/lora", adapter)
    alone = listed()["org/lora"]
    assert (alone["kind"], alone["tasks"], alone["adapterOf"]) == (None, [], "org/base")
    assert "is not on this machine" in alone["problems"][0]
    in_cache(cache, "org/base", base)
    whole = listed()["org/lora"]
    assert whole["kind"] == "chat"
    assert "explain" in whole["tasks"]
    assert "fill-mask" not in whole["tasks"]
    assert "is not the one of its base" in whole["problems"][0]
    with pytest.raises(SystemExit):
        main(("models",))
    out = capsys.readouterr().out
    assert "chat adapter" in out
    assert "is not the one of its base" in " ".join(out.split())


def test_a_broken_cache_is_listed_without_what_is_broken(cache, base):  # noqa: F811
    in_cache(cache, "org/good", base)
    (cache / "models--org--bad" / "snapshots").mkdir(parents=True)
    (cache / "models--org--bad" / "snapshots" / "file").write_text("")
    (cache / "file").write_text("")
    assert [model.name for model in list_models() if model.origin == "cache"] == ["org/good"]


def test_what_a_model_with_an_adapter_is_chosen_for(base, adapter):  # noqa: F811
    task, settings = get_task("summarize"), ModelSettings()
    chosen = choose_model(task, settings, f"{base}+{adapter}")
    assert (chosen.kind, chosen.folder, chosen.notice) == ("base", base, "")
    (adapter / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    chosen = choose_model(task, settings, str(adapter))
    assert chosen.kind == "chat"
    assert "chat template" in chosen.notice
    with pytest.raises(ModelError, match="without an adapter"):
        choose_model(get_task("zero-shot"), settings, str(adapter))
    # Its tokenizer alone can count, and nothing else.
    shutil.copy(base / "tokenizer.json", adapter)
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "org/absent"}')
    with pytest.raises(ModelNotFoundError, match="org/absent"):
        choose_model(task, settings, str(adapter))


def test_an_adapters_weights_are_no_model(tmp_path, base):  # noqa: F811
    from transformers_ls.hub.facts import model_facts

    assert not model_facts(make_adapter(tmp_path / "bare", "x")).has_weights

"""Installing an embedded model: whole or not at all, from wherever it can be had."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.fake_hub import COMMIT, FakeHub
from tests.support.fake_index import make_model
from transformers_ls.errors import (
    EngineUnavailableError,
    ModelBrokenError,
    ModelError,
    ModelNotFoundError,
    NetworkError,
    UsageError,
)
from transformers_ls.hub import catalogue, embedded, wheels
from transformers_ls.hub.child import folder_size
from transformers_ls.hub.embedded import install, installed_folder, list_embedded, remove

FILES = {
    "config.json": b"{}",
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "pytorch_model.bin": b"pickle",
    "modeling_toy.py": b"code",
    "README.md": b"card",
}


@pytest.fixture(autouse=True)
def toy(tmp_path, monkeypatch):
    """The only embedded model, with its wheels in a folder for pip."""
    model = make_model(tmp_path / "index", [b"GGUF" + b"a" * 5000, b"b" * 4000])
    use(monkeypatch, model)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(embedded, "convert_gguf", convert)
    return model


def use(monkeypatch, model):
    monkeypatch.setitem(catalogue.EMBEDDED, model.name, model)
    for name in list(catalogue.EMBEDDED):
        if name != model.name:
            monkeypatch.delitem(catalogue.EMBEDDED, name)


def convert(source, destination, progress, *, python=sys.executable):
    """Stand in for the conversion, which needs torch and half a minute."""
    progress("convert", 50, 100)
    (destination / "model.safetensors").write_bytes(source.read_bytes())
    for name in ("config.json", "tokenizer.json"):
        (destination / name).write_text("{}")


def left_over(data):
    """What is in the data folder besides installed models and locks."""
    models = data / "models"
    return [p.name for p in models.glob(".*") if not p.name.endswith(".lock")]


def test_from_the_index(data, toy):
    told, notices = [], []
    folder = install("toy", progress=lambda *step: told.append(step), notice=notices.append)
    assert folder == data / "models" / "toy" == installed_folder("toy")
    assert (folder / "model.safetensors").read_bytes() == b"GGUF" + b"a" * 5000 + b"b" * 4000
    facts = json.loads((folder / "transformers-ls.json").read_text())
    assert facts["origin"] == "toy-part0==1.0.0, toy-part1==1.0.0"
    assert facts["license"]["title"] == "Toy Terms"
    assert [stage for stage, _, _ in told] == sorted(
        (stage for stage, _, _ in told), key=["download", "verify", "convert"].index
    )
    sizes = sum(wheel.size for wheel in toy.wheels)
    assert ("download", sizes, sizes) in told
    assert ("verify", toy.gguf_size, toy.gguf_size) in told
    assert "cannot be reached" in notices[0]
    assert left_over(data) == []
    [listed] = list_embedded()
    assert listed.folder == folder
    assert listed.size > 9000


def test_a_second_time_does_nothing():
    folder = install("toy")
    before = (folder / "config.json").stat().st_mtime_ns
    assert install("toy", progress=lambda *_: pytest.fail("it was installed")) == folder
    assert (folder / "config.json").stat().st_mtime_ns == before


def test_removing(data):
    folder = install("toy")
    assert remove("toy")
    assert not folder.exists()
    assert not remove("toy")
    assert installed_folder("toy") is None
    assert left_over(data) == []


def test_from_the_hub(data, use_endpoint):
    with FakeHub({"org/toy": FILES}) as hub:
        use_endpoint(hub.url)
        told = []
        folder = install("toy", progress=lambda *step: told.append(step))
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "transformers-ls.json",
    }
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert list_embedded()[0].origin == f"org/toy@{COMMIT}"
    size = 7004
    assert told[0] == ("download", 0, size)
    assert told[-1] == ("download", size, size)


@pytest.mark.parametrize(
    ("repos", "gated", "status", "words"),
    [
        ({}, set(), None, "does not have org/toy"),
        ({"org/toy": FILES}, {"org/toy"}, None, "accepted its license"),
        ({"org/toy": FILES}, set(), 503, "answered 503"),
    ],
)
def test_the_index_is_the_way_out(repos, gated, status, words, use_endpoint):
    notices = []
    with FakeHub(repos, gated, status) as hub:
        use_endpoint(hub.url)
        install("toy", notice=notices.append)
    assert words in notices[0]
    assert "toy-part0" in list_embedded()[0].origin


def test_only_the_hub_when_asked(data):
    with pytest.raises(NetworkError, match="cannot be reached"):
        install("toy", source="hub")
    assert left_over(data) == []


def test_the_hub_is_not_asked_offline(monkeypatch, use_endpoint):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    notices = []
    with FakeHub({"org/toy": FILES}) as hub:
        use_endpoint(hub.url)
        install("toy", notice=notices.append)
        assert hub.requests == []
    assert "HF_HUB_OFFLINE" in notices[0]


def test_an_incomplete_repository(data, use_endpoint):
    with FakeHub({"org/toy": {"config.json": b"{}", "pytorch_model.bin": b"x"}}) as hub:
        use_endpoint(hub.url)
        with pytest.raises(ModelBrokenError, match=r"tokenizer\.json, safetensors weights"):
            install("toy")
    assert left_over(data) == []
    assert installed_folder("toy") is None


def test_the_license_comes_first(tmp_path, monkeypatch, data):
    use(monkeypatch, make_model(tmp_path / "index", [b"x"], must_accept=True))
    with pytest.raises(UsageError, match=r"Toy Terms \(https://example.org/terms\)"):
        install("toy")
    asked = []
    with pytest.raises(UsageError):
        install("toy", accept_license=lambda terms: asked.append(terms.title))
    assert asked == ["Toy Terms"]
    assert not data.exists()
    assert install("toy", accept_license=lambda _: True)


@pytest.mark.parametrize("field", ["wheel", "gguf"])
def test_a_wrong_checksum(field, toy, monkeypatch, data):
    if field == "wheel":
        wrong = dataclasses.replace(toy.wheels[1], sha256="0" * 64)
        toy = dataclasses.replace(toy, wheels=(toy.wheels[0], wrong))
    else:
        toy = dataclasses.replace(toy, gguf_sha256="0" * 64)
    use(monkeypatch, toy)
    with pytest.raises(ModelBrokenError, match="do not trust it"):
        install("toy")
    assert installed_folder("toy") is None
    assert left_over(data) == []


def test_an_index_that_does_not_have_it(tmp_path, data):
    shutil.rmtree(tmp_path / "index")
    (tmp_path / "index").mkdir()
    with pytest.raises(NetworkError, match=r"pip could not fetch toy.*toy-part0==1.0.0.*network"):
        install("toy")
    assert left_over(data) == []


def test_no_room(monkeypatch, data):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(embedded.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ModelError, match=r"not enough room.*TRANSFORMERS_LS_DATA"):
        install("toy")
    assert left_over(data) == []


def test_room_runs_out_on_the_way(monkeypatch, data):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded, "convert_gguf", full)
    with pytest.raises(ModelError, match="not enough room"):
        install("toy")
    assert left_over(data) == []


def test_a_data_folder_that_cannot_be_made(data):
    data.write_text("a file")
    with pytest.raises(ModelError, match="could not be installed"):
        install("toy")


@pytest.mark.parametrize("missing", ["pip", "torch", "gguf"])
def test_missing_packages_are_told_before_the_download(missing, monkeypatch, data):
    def find_spec(name):
        return None if name == missing else object()

    monkeypatch.setattr(wheels, "find_spec", find_spec)
    monkeypatch.setattr(embedded, "find_spec", find_spec)
    told = []
    with pytest.raises(EngineUnavailableError, match=missing):
        install("toy", progress=lambda *step: told.append(step))
    assert told == []
    assert left_over(data) == []


@pytest.mark.parametrize("stage", ["download", "verify", "convert"])
def test_cancelling_leaves_nothing(stage, data):
    def progress(now, *_):
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install("toy", progress=progress)
    assert installed_folder("toy") is None
    assert left_over(data) == []
    assert install("toy")


def test_what_a_killed_installation_left_is_cleaned(data):
    stale = data / "models" / ".toy.abc"
    (stale / "model").mkdir(parents=True)
    broken = data / "models" / "toy"
    broken.mkdir()
    (broken / "model.safetensors").write_text("half")
    assert installed_folder("toy") is None
    folder = install("toy")
    assert (folder / "config.json").exists()
    assert left_over(data) == []


def test_two_at_once(data, monkeypatch):
    """The second waits for the first and finds its work done."""
    converting, go_on = threading.Event(), threading.Event()
    conversions = []

    def slow(*arguments, **options):
        conversions.append(1)
        converting.set()
        assert go_on.wait(60)
        convert(*arguments, **options)

    monkeypatch.setattr(embedded, "convert_gguf", slow)
    folders = []
    first = threading.Thread(target=lambda: folders.append(install("toy")))
    first.start()
    assert converting.wait(60)

    def progress(stage, *_):
        assert stage == "wait"
        go_on.set()

    folders.append(install("toy", progress=progress))
    first.join(60)
    assert folders == [data / "models" / "toy"] * 2
    assert len(conversions) == 1


KILLED = """
import os, signal, sys
from transformers_ls.hub import catalogue, embedded
import pickle
model = pickle.load(open(sys.argv[1], "rb"))
catalogue.EMBEDDED[model.name] = model

def convert(source, destination, progress, *, python):
    (destination / "model.safetensors").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

embedded.convert_gguf = convert
embedded.install(model.name, source="pypi")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_in_the_middle(toy, data, tmp_path):
    import pickle

    (tmp_path / "model.pickle").write_bytes(pickle.dumps(toy))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model.pickle")]
    done = subprocess.run(command, check=False)
    assert done.returncode == -signal.SIGKILL
    assert installed_folder("toy") is None
    assert install("toy") == data / "models" / "toy"
    assert left_over(data) == []


def test_an_unknown_name():
    for ask in (install, remove):
        with pytest.raises(ModelNotFoundError, match="There are: toy"):
            ask("toyy")


def test_the_real_catalogue_is_pinned():
    import importlib

    fresh = importlib.util.module_from_spec(catalogue.__spec__)
    sys.modules[fresh.__name__] = fresh
    try:
        catalogue.__spec__.loader.exec_module(fresh)
    finally:
        sys.modules[fresh.__name__] = catalogue
    assert list(fresh.EMBEDDED) == ["smollm2-135m", "gemma3-270m"]
    for model in fresh.EMBEDDED.values():
        digests = [model.gguf_sha256, *(wheel.sha256 for wheel in model.wheels)]
        assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
        assert all(wheel.size > 0 for wheel in model.wheels)
        assert Path(model.gguf).suffix == ".gguf"
    assert fresh.EMBEDDED["gemma3-270m"].license.must_accept


def test_sizes_of_a_folder_that_others_change(tmp_path):
    """pip makes and removes folders while they are measured."""
    folder = tmp_path / "measured"
    folder.mkdir()
    (folder / "file").write_bytes(b"12345")
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            inner = folder / "a" / "b"
            inner.mkdir(parents=True, exist_ok=True)
            (inner / "file").write_bytes(b"1")
            shutil.rmtree(folder / "a", ignore_errors=True)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert {folder_size(folder) for _ in range(500)} <= {5, 6}
    finally:
        stop.set()
        thread.join()

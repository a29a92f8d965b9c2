"""What the tests of the command line share: folders of their own, a tiny model, a way to run it."""

from __future__ import annotations

import io

import pytest

from tests.support.tiny_tokenizer import make_tokenizer
from transformers_ls.cli import main


@pytest.fixture(scope="module")
def own_folders(tmp_path_factory):
    """Keep the tests out of the user's caches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFORMERS_LS_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TRANSFORMERS_LS_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(make_tokenizer(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line; return its exit code, stdout and stderr."""

    def run(*arguments: str, stdin: str | bytes = "") -> tuple[int, str, str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run

"""`transformers-ls count` on folders, in this process, on a tiny real tokenizer."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import reference_count
from transformers_ls.cli import _count_output

pytestmark = pytest.mark.usefixtures("own_folders")

TEXTS = {
    "notes.md": "# Notes\n\nThe quick brown fox.\n",
    "src/main.py": "def main() -> None:\n    print('hello world')\n" * 3,
    "src/[bold]red.txt": "H\u00e9llo \u65e5\u672c\u8a9e \U0001f642",
    "src/deep/rows.jsonl": '{"text": "hello world"}\n{"text": "hi", "more": ["a", "b"]}\n{"text\n',
}


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, text in TEXTS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (tmp_path / ".gitignore").write_text("ignored.md\n")
    (tmp_path / "ignored.md").write_text("not here")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    return tmp_path


def test_json(run, model, folder):
    code, out, _ = run("count", str(folder), "-m", model, "--json", "--tree")
    assert code == 0
    answer = json.loads(out)
    counted = {os.path.relpath(file["path"], folder): file for file in answer["files"]}
    assert set(counted) == set(TEXTS)
    for name, text in TEXTS.items():
        tokens = reference_count(Path(model), text)
        assert counted[name]["characters"] == len(text)
        assert counted[name]["models"] == {model: {"tokens": tokens, "window": 8192, "exact": True}}
    total = sum(file["models"][model]["tokens"] for file in answer["files"])
    assert answer["total"]["models"][model]["tokens"] == total
    assert answer["total"]["files"] == len(TEXTS)
    (skipped,) = answer["skipped"]
    assert (Path(skipped["path"]).name, skipped["kind"]) == ("picture.png", "binary")
    (dataset,) = answer["datasets"]
    assert (dataset["rows"], dataset["broken"]["count"]) == (2, 1)
    assert dataset["broken"]["lines"][0]["line"] == 3
    assert dataset["fields"]["more[]"][model]["count"] == 2
    sums = {os.path.relpath(item["path"], folder): item for item in answer["folders"]}
    assert sums["."]["models"][model]["tokens"] == total
    assert sums["src/deep"]["files"] == 1


def test_the_table_is_sorted_and_says_what_is_missing(run, model, folder):
    code, out, err = run("count", str(folder), "-m", model)
    assert code == 0
    tokens = {name: reference_count(Path(model), text) for name, text in TEXTS.items()}
    rows = [line for line in out.splitlines() if str(folder) in line][: len(TEXTS)]
    shown = [row.split()[0] for row in rows]
    expected = sorted(tokens, key=lambda name: -tokens[name])
    assert shown == [str(folder / name) for name in expected]
    assert [row.split()[2] for row in rows] == [f"{tokens[name]:,}" for name in expected]
    (total,) = (line for line in out.splitlines() if line.startswith("total of 4 files"))
    assert f" {sum(tokens.values()):,} " in total
    assert "picture.png is binary" in err
    assert "rows.jsonl:3: not JSON" in err
    assert "2 rows, and 1 line that cannot be read" in out


def test_top_and_tree(run, model, folder):
    code, out, _ = run("count", str(folder), "-m", model, "--top", "1", "--no-datasets")
    assert code == 0
    assert "(3 not shown)" in out
    assert len(out.splitlines()) == 3
    code, out, _ = run("count", str(folder), "-m", model, "--tree", "--no-datasets")
    assert code == 0
    lines = out.splitlines()
    source = sum(
        reference_count(Path(model), text) for name, text in TEXTS.items() if "src" in name
    )
    assert lines[1].startswith(f"{folder}/ ")
    (line,) = (line for line in lines if line.strip().startswith("src/"))
    assert f" {source:,} " in line
    assert line.startswith("  src/")
    assert any(line.startswith("    [bold]red.txt") for line in lines)
    _, out, _ = run("count", str(folder), "-m", model, "--tree", "--top", "1")
    assert "  … 1 more" in out


def test_files_and_folders_and_stdin_together(run, model, folder):
    named = str(folder / "notes.md")
    paths = [named, "-", str(folder / "src"), str(folder)]
    code, out, _ = run("count", *paths, "-m", model, "--json", stdin="text")
    assert code == 0
    files = [file["path"] for file in json.loads(out)["files"]]
    assert files[:2] == [named, "-"]
    assert len(files) == len(set(files)) == 5


def test_globs(run, model, folder):
    arguments = ["--include", "*.md", "--include", "src/*", "--exclude", "*.jsonl", "--no-ignore"]
    code, out, _ = run("count", str(folder), "-m", model, "--json", *arguments)
    assert code == 0
    names = {Path(file["path"]).name for file in json.loads(out)["files"]}
    assert names == {"ignored.md", "notes.md", "main.py", "[bold]red.txt"}


def test_exit_codes_tell_what_is_missing(run, model, folder):
    """A picture in a folder is no failure; one that was asked for is, and so is a closed folder."""
    code, out, err = run("count", str(folder / "picture.png"), str(folder), "-m", model)
    assert code == 1
    assert "notes.md" in out
    assert "picture.png is binary" in err
    code, out, err = run("count", str(folder / "picture.png"), "-m", model)
    assert (code, out) == (2, "")
    (folder / "src" / "gone.md").symlink_to(folder / "nowhere")
    assert run("count", str(folder), "-m", model)[0] == 1
    empty = folder / "empty"
    empty.mkdir()
    code, out, err = run("count", str(empty), "-m", model)
    assert (code, out) == (0, "")
    assert "no text" in err


def test_too_large(run, model, folder):
    (folder / "large.txt").write_text("x" * 1001)
    arguments = ["count", str(folder), "-m", model, "--json", "--max-size", "0.001"]
    code, out, _ = run(*arguments)
    assert code == 0
    assert {item["kind"] for item in json.loads(out)["skipped"]} == {"binary", "too-large"}


def test_ctrl_c_prints_nothing_half(run, model, folder, monkeypatch):
    @contextmanager
    def pressed():
        def on_progress(progress):
            if progress.files:
                raise KeyboardInterrupt

        yield on_progress

    monkeypatch.setattr(_count_output, "progress_bar", pressed)
    code, out, err = run("count", str(folder), "-m", model, "--json")
    assert (code, out) == (130, "")
    assert "Stopped" in err

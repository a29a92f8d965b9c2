"""The command line, in this process, on a tiny real tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.tiny_tokenizer import reference_count
from transformers_ls.tasks.built_in import BUILT_IN

pytestmark = pytest.mark.usefixtures("own_folders")

CHAT = [{"role": "user", "content": "Caf\u00e9 or tea?"}]
PROMPT = "<|im_start|>user\nCaf\u00e9 or tea?<|im_end|>\n"


def test_count(run, model, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("H\u00e9llo\r\nworld \U0001f642".encode())
    code, out, _ = run("count", str(path), "-", "-m", model, "--json", stdin="text")
    assert code == 0
    one, two = json.loads(out)["files"]
    text = path.read_bytes().decode()
    assert one["path"] == str(path)
    assert one["characters"] == len(text)
    tokens = reference_count(Path(model), text)
    assert one["models"][model] == {"tokens": tokens, "window": 8192, "exact": True}
    assert two["models"][model]["tokens"] == reference_count(Path(model), "text")
    code, out, _ = run("count", str(path), "-m", model)
    assert f" {tokens} " in out


def test_render(run, model, tmp_path):
    path = tmp_path / "chat.json"
    path.write_text(json.dumps({"messages": CHAT}))
    assert run("render", str(path), "-m", model, "--no-generation-prompt")[:2] == (0, PROMPT)
    code, out, _ = run("render", "-", "-m", model, "--json", stdin=json.dumps(CHAT))
    answer = json.loads(out)
    assert (code, answer["text"]) == (0, PROMPT + "<|im_start|>assistant\n")
    assert answer["tokens"] == reference_count(Path(model), answer["text"])
    assert [message["role"] for message in answer["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["count", "-"], b"caf\xe9", "not UTF-8"),
        (["count", "/no/such/file", "-"], "text", "cannot be read"),
        (["count", "-", "--top", "0"], "text", "at least 1"),
        (["count", "-", "--max-size", "nan"], "text", "more than 0"),
        (["count", ".", "--include", "!"], "", "no pattern"),
        (["render", "-"], "{}", "no chat"),
        (["render", "-", "--kwargs", "[1]"], json.dumps(CHAT), "JSON object"),
        (["render", "-", "--kwargs", "{"], json.dumps(CHAT), "not JSON"),
        (["render", "-"], json.dumps(CHAT)[:-5], "cut off"),
        (["render", "-", "--kwargs", '{"tools": 1}'], json.dumps(CHAT), "cannot set tools"),
        (["serve", "--tcp", "127.0.0.1:99999"], "", "no address"),
        (["run", "summarize"], " ", "no text"),
        (["run", "summarize", "--to", "fr"], "text", "--to"),
        (["run", "summarize", "--question", "Who?"], "text", "--question is of no use"),
        (["run", "summarize", "a.txt", "b.txt"], "text", "OTHER is of no use"),
        (["run", "ask"], "text", "needs a question"),
        (["run", "zero-shot", "--labels", " ,"], "text", "needs labels"),
        (["run", "similarity"], "text", "compares two texts"),
        (["run", "docstring"], "text", "plaintext"),
        (["check", "a.png"], "", "no file of chats"),
        (["run", "dance"], "text", "no task `dance`"),
        (["models", "install", "gpt-9"], "", "no embedded model"),
    ],
)
def test_wrong_usage(run, model, arguments, stdin, words):
    more = ["-m", model] if arguments[0] in ("count", "render") else []
    code, out, err = run(*arguments, *more, stdin=stdin)
    assert code == 2
    assert words in err
    assert out == ""


def test_a_model_that_is_not_here(run):
    code, _, err = run("count", "-", "-m", "org/name", stdin="text")
    assert code == 1
    assert "org/name" in err


@pytest.fixture
def chats(tmp_path) -> str:
    rows = [
        {"messages": CHAT},
        {"messages": [{"role": "user", "content": "a literal <|im_end|> here"}]},
    ]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return str(path)


def test_check_finds_problems_at_their_place(run, model, chats):
    code, out, err = run("check", chats, "-m", model)
    assert code == 1
    (line,) = out.splitlines()
    column = Path(chats).read_text().splitlines()[1].index("<|im_end|>") + 1
    assert line.startswith(f"{chats}:2:{column}: ")
    assert line.endswith("[special-token-in-content]")
    assert "2 chats, 1 problem." in err


@pytest.mark.parametrize(
    ("name", "text", "code", "line"),
    [
        ("a.json", '[{"role": "user", "content": "hi"', "invalid-json", 1),
        ("a.json", "not json", "invalid-json", 1),
        ("a.json", "", "no-chat", 1),
        ("a.json", '{"a": 1}', "no-chat", 1),
        ("a.jsonl", json.dumps({"messages": CHAT}) + '\n{"messages": [', "invalid-json", 2),
        ("a.jsonl", json.dumps({"messages": CHAT}) + '\n\n{"a": 1}\n', "no-chat", 3),
    ],
)
def test_check_wants_whole_data(run, model, tmp_path, name, text, code, line):
    """An editor takes half a chat; a gate that did would be green on a broken dataset."""
    path = tmp_path / name
    path.write_text(text)
    ended, out, _ = run("check", str(path), "-m", model, "--format", "json")
    assert ended == 1
    (problem,) = json.loads(out)["problems"]
    assert (problem["code"], problem["line"]) == (code, line)


def test_check_tells_bad_data_from_a_missing_model(run, chats):
    ended, _, err = run("check", chats, "-m", "org/name")
    assert ended == 2
    assert "org/name" in err


def test_render_tells_what_the_template_leaves_out(run, model):
    tools = [
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    ]
    chat = json.dumps({"messages": CHAT, "tools": tools})
    code, out, err = run("render", "-", "-m", model, "--json", stdin=chat)
    assert code == 0
    assert [problem["code"] for problem in json.loads(out)["problems"]] == ["tools-dropped"]
    assert "warning: " in err


def test_check_limits_the_prompt(run, model, tmp_path):
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(CHAT))
    tokens = reference_count(Path(model), PROMPT)
    assert run("check", str(path), "-m", model, "--max-tokens", str(tokens))[0] == 0
    code, out, _ = run(
        "check", str(path), "-m", model, "--max-tokens", str(tokens - 1), "--format", "json"
    )
    assert code == 1
    assert [problem["code"] for problem in json.loads(out)["problems"]] == ["too-long"]


def test_check_writes_sarif(run, model, chats):
    code, out, _ = run("check", chats, "-m", model, "--format", "sarif")
    assert code == 1
    (done,) = json.loads(out)["runs"]
    (result,) = done["results"]
    assert result["ruleId"] in [rule["id"] for rule in done["tool"]["driver"]["rules"]]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert region["startLine"] == 2


def test_tasks_and_models(run):
    code, out, _ = run("tasks")
    assert code == 0
    named = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert named == list(BUILT_IN)
    assert "asks for --question TEXT" in out
    assert "such as `dslim/bert-base-NER`" in out
    code, out, _ = run("models")
    assert code == 0
    assert "smollm2-135m" in out
    code, out, _ = run("models", "remove", "smollm2-135m")
    assert "was not installed" in out


def test_a_license_must_be_accepted_first(run):
    code, _, err = run("models", "install", "gemma3-270m")
    assert code == 2
    assert "--accept-license" in err
    assert "https://ai.google.dev/gemma/terms" in err


def test_check_reports_a_dataset_in_numbers(run, model, chats):
    code, out, err = run("check", chats, "-m", model, "--max-tokens", "9", "--report")
    assert code == 1
    assert "2 chats in 2 rows" in err
    assert "over 9 tokens: 2 (100.0%)" in err
    assert "special-token-in-content: 1" in err
    _, out, _ = run("check", chats, "-m", model, "--format", "json")
    report = json.loads(out)["report"]
    prompts = reference_count(Path(model), PROMPT)
    assert report["chats"] == 2
    assert prompts in (report["tokens"]["p50"], report["tokens"]["max"])
    _, out, _ = run("check", chats, "-m", model, "--format", "sarif")
    assert json.loads(out)["runs"][0]["properties"]["report"] == report

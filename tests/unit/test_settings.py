"""The settings tree, and that the manifest and the README say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from transformers_ls.settings import Settings, describe_settings
from transformers_ls.settings_reading import parse_settings

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_set_gives_the_defaults():
    assert parse_settings(None) == (Settings(), [])
    assert parse_settings({}) == (Settings(), [])


@pytest.mark.parametrize(
    ("value", "path", "wanted"),
    [
        ({"tokenizers": ["a", "b"]}, "tokenizers", ("a", "b")),
        ({"tokenizers": "a"}, "tokenizers", ("a",)),
        ({"inlayHints": {"minTokens": 0}}, "inlay_hints.min_tokens", 0),
        ({"generation": {"temperature": 1}}, "generation.temperature", 1.0),
        ({"hover": None}, "hover.enabled", True),
        ({"contextWindows": {"a": 8, "b": 16}}, "context_windows", (("a", 8), ("b", 16))),
        ({"unknown": 1, "codeLens": {"enabled": False}}, "code_lens.enabled", False),
    ],
)
def test_values_are_read(value, path, wanted):
    found, problems = parse_settings(value)
    for name in path.split("."):
        found = getattr(found, name)
    assert found == wanted
    assert not problems


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "`transformers` must be an object"),
        ({"hover": 3}, "`transformers.hover` must be an object"),
        ({"hover": {"enabled": "yes"}}, "`transformers.hover.enabled` must be true or false"),
        ({"tokenizers": [1]}, "`transformers.tokenizers` must be a list of strings"),
        (
            {"inlayHints": {"minTokens": -1}},
            "`transformers.inlayHints.minTokens` must be at least 0",
        ),
        ({"inlayHints": {"minTokens": True}}, "must be a whole number"),
        ({"inlayHints": {"minTokens": 1.5}}, "must be a whole number"),
        ({"generation": {"temperature": float("nan")}}, "must be a finite number"),
        ({"models": {"chat": 7}}, "`transformers.models.chat` must be a string"),
        ({"contextWindows": ["a"]}, "must be an object of whole numbers"),
        ({"contextWindows": {"a": 0}}, "`transformers.contextWindows` must be at least 1"),
    ],
)
def test_wrong_values_are_reported_and_replaced(value, problem):
    settings, problems = parse_settings(value)
    assert settings == Settings()
    assert len(problems) == 1
    assert problem in problems[0]


def test_every_setting_says_what_it_does():
    for info in describe_settings():
        assert info.key.startswith("transformers.")
        assert info.doc.endswith("."), info.key


def test_manifest_and_readme_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/generate_settings.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

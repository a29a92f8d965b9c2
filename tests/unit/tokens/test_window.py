"""Where the context window comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from transformers_ls.tokens.window import Window, chosen_window, context_window

CONFIG, TOKENIZER = "config.json", "tokenizer_config.json"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {CONFIG: {"max_position_embeddings": 8192}},
            (8192, "config.json max_position_embeddings"),
        ),
        ({CONFIG: {"n_positions": 1024}}, (1024, "config.json n_positions")),
        (
            {CONFIG: {"text_config": {"max_position_embeddings": 32768}}},
            (32768, "config.json text_config max_position_embeddings"),
        ),
        (
            {CONFIG: {"llm_config": {"max_position_embeddings": 40960}}},
            (40960, "config.json llm_config max_position_embeddings"),
        ),
        (
            {CONFIG: {"model_type": "roberta", "max_position_embeddings": 514}},
            (512, "config.json max_position_embeddings less 2 for padding"),
        ),
        (
            {CONFIG: {}, TOKENIZER: {"model_max_length": 4096}},
            (4096, "tokenizer_config.json model_max_length"),
        ),
        (
            {CONFIG: {"max_position_embeddings": 8}, TOKENIZER: {"model_max_length": 4096}},
            (8, "config.json max_position_embeddings"),
        ),
        ({TOKENIZER: {"model_max_length": 1000000000000000019884624838656}}, (None, "unknown")),
        ({TOKENIZER: {"model_max_length": 1e30}}, (None, "unknown")),
        ({TOKENIZER: {"model_max_length": True}}, (None, "unknown")),
        ({CONFIG: {"n_ctx": 0, "max_position_embeddings": "8"}}, (None, "unknown")),
        ({CONFIG: "{cut off"}, (None, "unknown")),
        ({CONFIG: []}, (None, "unknown")),
        ({}, (None, "unknown")),
    ],
)
def test_context_window(
    tmp_path: Path, files: dict[str, Any], expected: tuple[int | None, str]
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    assert context_window(tmp_path) == Window(*expected)


def test_the_window_of_a_file_is_that_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{"max_position_embeddings": 16}')
    assert context_window(tmp_path / "tokenizer.json").tokens == 16


@pytest.mark.parametrize(
    ("model", "expected"),
    [("org/long", 100), ("/models/tiny", 200), ("tiny", 200), ("long", 8), ("other", 8)],
)
def test_the_user_knows_better(model: str, expected: int) -> None:
    files = Window(8, "config.json n_ctx")
    chosen = chosen_window(files, model, [("org/long", 100), ("tiny", 200)])
    assert chosen.tokens == expected
    assert ("setting" in chosen.source) == (expected != 8)

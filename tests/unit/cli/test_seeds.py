"""The four models that the project started from, as examples/seeds.md shows them."""

from __future__ import annotations

import pytest

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.seeds import ROOT, SEEDS, page, run


def test_the_page_of_the_seeds_is_what_the_command_line_answers():
    try:
        written = page()
    except UnavailableError as error:
        pytest.skip(str(error))
    assert written == (ROOT / "examples" / "seeds.md").read_text(encoding="utf-8")


def test_a_base_model_has_no_template_and_the_message_says_what_to_do():
    base = next(seed for seed in SEEDS if seed.template is None)
    try:
        status, out, err = run(base)
    except UnavailableError as error:
        pytest.skip(str(error))
    assert (status, out) == (1, "")
    assert "has no chat template" in err
    assert "transformers.chatTemplate" in err

"""`transformers-ls check` reads chat templates too, without any model."""

from __future__ import annotations

import json

import pytest

from transformers_ls.cli import main

GOOD = (
    "{% for m in messages %}{{ m.content.strip() }}{% endfor %}{{ image_token }}"
    "{% if add_generation_prompt %}{{ bos_token }}{% endif %}"
)


@pytest.fixture
def check(capsys):
    def check(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["check", "-m", "org/not-here", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return check


def test_a_good_template_passes_and_hints_are_left_out(check, tmp_path):
    path = tmp_path / "chat_template.jinja"
    path.write_text(GOOD)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"image_token": "<image>"}))
    code, out, _ = check(str(path))
    assert (code, out) == (0, "")


def test_problems_are_told_at_their_place(check, tmp_path):
    path = tmp_path / "broken.jinja"
    path.write_text("{{ bos_token }}\n{% for m in messages %}\n{% endif %}")
    code, out, err = check(str(path))
    assert code == 1
    assert out.startswith(f"{path}:3:4: error: `endif` does not fit here")
    assert "1 problem" in err
    code, out, _ = check(str(path), "--format", "json")
    assert json.loads(out)["problems"][0]["code"] == "template-syntax"


def test_a_broken_tokenizer_beside_it_is_told(check, tmp_path):
    path = tmp_path / "chat_template.jinja"
    path.write_text(GOOD)
    (tmp_path / "tokenizer_config.json").write_text("{")
    code, _, err = check(str(path))
    assert code == 2
    assert "tokenizer_config.json" in err

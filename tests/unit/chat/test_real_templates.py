"""Our sandbox against transformers itself, on every real template and every kind of chat."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.template_table import markdown_table
from tests.support.templates import CHATS, SPECIAL_TOKENS, real_templates
from transformers_ls.chat.failures import TemplateRefusedError
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.chat.template import find_template
from transformers_ls.errors import TemplateError

NOON = datetime(2026, 3, 4, 12, 0)  # noqa: DTZ001 - templates ask for the local time.


@pytest.fixture(scope="module")
def templates():
    try:
        return real_templates()
    except UnavailableError as error:
        pytest.skip(str(error))


class _StubTokenizer:
    """The tokenizer that `apply_chat_template` of transformers is called on."""

    special_tokens_map = SPECIAL_TOKENS

    def __init__(self, template):
        self.template = template

    def get_chat_template(self, chat_template=None, tools=None):
        return self.template


def ours_and_theirs(template, chat):
    """Return our request, and what transformers does in this process: text, or the error's text."""
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    generate = chat.get("add_generation_prompt", True)
    kwargs = chat.get("kwargs", {})
    request = RenderRequest(
        template, chat["messages"], SPECIAL_TOKENS, chat.get("tools"), generate, kwargs, NOON
    )
    try:
        theirs = PreTrainedTokenizerBase.apply_chat_template(
            _StubTokenizer(template),
            chat["messages"],
            tools=chat.get("tools"),
            add_generation_prompt=generate,
            tokenize=False,
            **kwargs,
        )
    except Exception as error:
        return request, None, str(error)
    return request, theirs, None


@pytest.fixture
def noon(monkeypatch):
    """Pin the clock of transformers in this process, as `now` pins the sandbox's."""
    from transformers.utils import chat_template_utils

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOON

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


async def test_every_template_renders_every_chat_as_transformers_does(templates, noon):
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=60))
    different = []
    table = {}
    try:
        for name, template in templates.items():
            for kind, chat in CHATS.items():
                request, text, reason = ours_and_theirs(template, chat)
                try:
                    outcome = (await sandbox.render(request)).text, None
                except TemplateRefusedError as refusal:
                    outcome = None, refusal.reason
                except TemplateError as error:
                    outcome = None, str(error)
                if outcome != (text, reason[:2000] if reason else None):
                    different.append((name, kind, outcome, (text, reason)))
                table[name, kind] = (text, reason)
    finally:
        await sandbox.close()
    print(f"\n{markdown_table(list(templates), table)}")
    assert not different
    assert len(templates) > 60


@pytest.mark.filterwarnings("ignore")
async def test_a_tokenizer_loaded_from_a_folder_renders_the_same(templates, tmp_path, noon):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<unk>": 0}, "<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=core, **SPECIAL_TOKENS).save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_text(templates["Qwen-Qwen3-0.6B"], encoding="utf-8")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    found = find_template(tmp_path)
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=60))
    try:
        for kind in ("system, multi turn", "tool call answered", "thinking off", "documents"):
            chat = CHATS[kind]
            tools, kwargs = chat.get("tools"), chat.get("kwargs", {})
            request = RenderRequest(
                found.source, chat["messages"], found.special_tokens, tools, kwargs=kwargs
            )
            assert (await sandbox.render(request)).text == tokenizer.apply_chat_template(
                chat["messages"], tools=tools, tokenize=False, add_generation_prompt=True, **kwargs
            )
    finally:
        await sandbox.close()

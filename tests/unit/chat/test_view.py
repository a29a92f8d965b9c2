"""The parts of a prompt, and that following an edit finds the same ones as starting anew."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.templates import SPECIAL_TOKENS, real_templates
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.chat.view import PromptViews, ends_after_edit
from transformers_ls.errors import TemplateLimitError, TemplateRaisedError

CHATML = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TAGGED = CHATML.replace("{{ m.content }}", "{% generation %}{{ m.content }}{% endgeneration %}")
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "1."},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "2."},
    {"role": "user", "content": "One?"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox():
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=60))
    yield sandbox
    await sandbox.close()


shares_a_child = pytest.mark.asyncio(loop_scope="module")


def pieces(view, spans):
    return [None if span is None else view.text[slice(*span)] for span in spans]


@shares_a_child
async def test_messages_and_what_is_trained(sandbox):
    view = await PromptViews(sandbox).view(RenderRequest(CHATML, CHAT))
    assert pieces(view, view.message_spans) == [
        f"<|{m['role']}|>{m['content']}<|end|>\n" for m in CHAT
    ]
    assert pieces(view, view.trained_spans) == ["1.<|end|>\n", "2.<|end|>\n"]
    assert view.trained_source == "prefix difference"
    assert view.text.endswith("<|end|>\n<|assistant|>")


@shares_a_child
async def test_generation_tags_count_where_there_are_some(sandbox):
    view = await PromptViews(sandbox).view(RenderRequest(TAGGED, CHAT[:2]))
    assert pieces(view, view.trained_spans) == ["Be brief.", "One?"]
    assert view.trained_source == "generation tags"


@shares_a_child
async def test_nothing_to_train_on(sandbox):
    view = await PromptViews(sandbox).view(RenderRequest(CHATML, CHAT[:2]))
    assert (view.trained_spans, view.trained_source) == ((), "unknown")


def changed(chat, index, content):
    return [dict(m, content=content) if n == index else m for n, m in enumerate(chat)]


EDITS = [
    *(changed(CHAT, index, "One more?") for index in range(len(CHAT))),
    *(changed(CHAT, index, "") for index in range(len(CHAT))),
    CHAT[:-1],
    CHAT[:2] + CHAT[4:],
    [*CHAT, {"role": "assistant", "content": "1."}],
    [*CHAT[:2], *CHAT[1:]],
    [dict(m, role="user") for m in CHAT],
    [{"role": "user", "content": "Other."}],
]


@shares_a_child
async def test_an_edit_is_followed_as_if_it_was_seen_first(sandbox):
    try:
        templates = real_templates()
    except UnavailableError as error:
        pytest.skip(str(error))
    names = ["Qwen-Qwen3-0.6B", "meta-llama-Llama-3.1-8B-Instruct", "google-gemma-2-2b-it"]
    wrong = []
    for name, template in [("chatml", CHATML), *((name, templates[name]) for name in names)]:
        for number, after in enumerate(EDITS):
            views = PromptViews(sandbox)
            try:
                first = CHAT[name.startswith("google") :]
                await views.view(RenderRequest(template, first, SPECIAL_TOKENS))
                request = RenderRequest(template, after, SPECIAL_TOKENS)
                followed = await views.view(request)
                anew = await PromptViews(sandbox).view(request)
            except TemplateRaisedError:
                continue
            # It may know more: the prompt before an edit can be the easier one to take apart.
            spans = zip(followed.message_spans, anew.message_spans, strict=True)
            if followed.text != anew.text or any(b not in (a, None) for a, b in spans):
                wrong.append((name, number, followed, anew))
    assert not wrong


@shares_a_child
async def test_typing_costs_one_render(sandbox, monkeypatch):
    views = PromptViews(sandbox)
    await views.view(RenderRequest(CHATML, CHAT), "chat")
    asked = []
    real = Sandbox.parts

    async def parts(self, request, known=()):
        asked.append(known)
        return await real(self, request, known)

    monkeypatch.setattr(Sandbox, "parts", parts)
    for index in range(len(CHAT)):
        for content in ("On", "One? ", "One? Two", "2", CHAT[index]["content"]):
            view = await views.view(RenderRequest(CHATML, changed(CHAT, index, content)), "chat")
            assert pieces(view, view.message_spans)[index].endswith(f"|>{content}<|end|>\n")
    assert asked == []
    await views.view(RenderRequest(CHATML, CHAT), "another chat")
    assert len(asked) == 1


@shares_a_child
async def test_a_part_that_was_not_found_is_not_looked_for_with_each_key(sandbox, monkeypatch):
    moved = "{{ messages[1].content }}{{ messages[0].content }}"
    views = PromptViews(sandbox)
    assert None in (await views.view(RenderRequest(moved, CHAT[:2]), "chat")).message_spans
    monkeypatch.setattr(Sandbox, "parts", None)
    await views.view(RenderRequest(moved, CHAT[:2]), "chat")


@shares_a_child
async def test_a_prompt_is_shown_when_only_its_parts_take_too_long(sandbox, monkeypatch):
    async def parts(self, request, known=()):
        raise TemplateLimitError("too long")

    monkeypatch.setattr(Sandbox, "parts", parts)
    view = await PromptViews(sandbox).view(RenderRequest(CHATML, CHAT[:2]))
    assert view.text.startswith("<|system|>Be brief.")
    assert view.message_spans == (None, None)


@pytest.mark.parametrize(
    ("old", "new", "ends", "expected", "missing"),
    [
        (["a", "b"], ["a", "b"], [1, 2], [1, 2], set()),
        (["a", "b"], ["a", "bb"], [1, 2], [1, 3], set()),
        (["a", "b"], ["aa", "b"], [1, 2], [2, 3], set()),
        (["a", "b"], ["a", "x", "b"], [1, 2], [1, 2, 3], set()),
        (["a", "b", "c"], ["a", "c"], [1, 2, 3], [1, 2], set()),
        (["a", "b"], ["a"], [None, 2], [1], set()),
        (["a", "b"], ["a", "b"], [None, 2], [None, 2], set()),
        (["a", "b"], ["x", "y"], [1, 2], [None, 2], {0}),
        ([], ["x"], [], [None], {0}),
        (["a"], [], [1], [], set()),
    ],
)
def test_ends_after_edit(old, new, ends, expected, missing):
    def chat(texts):
        return [{"content": text} for text in texts]

    before = chat(old), "".join(old), ends
    assert ends_after_edit(before, (chat(new), "".join(new))) == (expected, missing)

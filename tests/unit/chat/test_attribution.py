from __future__ import annotations

import pytest

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.templates import SPECIAL_TOKENS, real_templates
from transformers_ls.chat.attribution import message_cuts, spans_between, special_spans
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateRaisedError

CHAT = [
    {"role": "system", "content": "You are a pilot."},
    {"role": "user", "content": "Question one?"},
    {"role": "assistant", "content": "<think>\nReason one.\n</think>\n\nAnswer one."},
    {"role": "user", "content": [{"type": "text", "text": "Question two?"}]},
    {"role": "assistant", "content": " Answer two. "},
]
PLAIN = [dict(m, content="Question two?") if m["role"] == "user" else m for m in CHAT]


def simple(messages):
    return "<s>" + "".join(f"[{m['role']}]{m['content']}\n" for m in messages)


def parts(messages, render, whole=None, specials=()):
    whole = render(messages) if whole is None else whole
    spans = spans_between(message_cuts(messages, whole, render, specials))
    return [None if span is None else whole[slice(*span)] for span in spans]


CHAT_OF_TWO = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}]


def eos_at_the_end(messages):
    return simple(messages) + "</s>"


def refuses_one(messages):
    if len(messages) == 1:
        raise ValueError
    return simple(messages)


def thinks_last(messages):
    *most, last = messages
    return simple(most) + f"[{last['role']}]<think></think>{last['content']}\n"


def drops_the_first(messages):
    return simple(messages[1:]) if len(messages) > 1 else simple(messages)


def first_goes_last(messages):
    return "<s>" if len(messages) == 1 else simple([*messages[1:], messages[0]])


@pytest.mark.parametrize(
    ("render", "specials", "expected"),
    [
        (simple, (), ["<s>[user]a\n", "[assistant]a\n"]),
        (eos_at_the_end, ("</s>",), ["<s>[user]a\n", "[assistant]a\n</s>"]),
        (eos_at_the_end, (), [None, None]),
        (refuses_one, (), [None, None]),
        (thinks_last, (), ["<s>[user]a\n", "[assistant]<think></think>a\n"]),
    ],
)
def test_parts_of_a_render(render, specials, expected):
    assert parts(CHAT_OF_TWO, render, None, specials) == expected


def test_a_generation_prompt_belongs_to_no_message():
    whole = simple(CHAT_OF_TWO) + "[assistant]"
    assert "".join(parts(CHAT_OF_TWO, simple, whole)) == simple(CHAT_OF_TWO)


def test_a_message_that_moved_is_not_guessed():
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    assert parts(chat, first_goes_last)[0] is None


def test_a_message_that_is_dropped_is_not_guessed():
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    assert parts(chat, drops_the_first)[0] is None


def test_memory_is_not_swallowed():
    def greedy(messages):
        raise MemoryError

    with pytest.raises(MemoryError):
        message_cuts(CHAT_OF_TWO, "", greedy)


@pytest.mark.parametrize(
    ("text", "specials", "expected"),
    [
        ("<s>hi</s>", ["<s>", "</s>"], ["<s>", "</s>"]),
        ("<s>hi", [], []),
        ("<s>hi", [""], []),
        ("<|im_start|><|im_start|>", ["<|im_start|>", "<|im"], ["<|im_start|>", "<|im_start|>"]),
        ("a.b", ["."], ["."]),
        ("😀<s>", ["<s>"], ["<s>"]),
    ],
)
def test_special_spans(text, specials, expected):
    assert [text[start:end] for start, end in special_spans(text, specials)] == expected


async def test_the_parts_of_messages_in_real_templates():
    try:
        templates = real_templates()
    except UnavailableError as error:
        pytest.skip(str(error))
    known = total = 0
    unknown = {}
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=60))
    try:
        for name, template in templates.items():
            request = RenderRequest(template, PLAIN, SPECIAL_TOKENS)
            try:
                text = (await sandbox.render(request)).text
            except TemplateRaisedError:
                continue
            ends, _ = await sandbox.parts(request)
            spans = spans_between(ends)
            total += len(spans)
            known += sum(span is not None for span in spans)
            if None in spans:
                unknown[name] = [index for index, span in enumerate(spans) if span is None]
            for message, span in zip(PLAIN, spans, strict=True):
                content = message["content"].rpartition("</think>")[2].strip()
                if span is not None and content in text:
                    assert content in text[slice(*span)], name
            ends = [span for span in spans if span is not None]
            assert ends == sorted(ends)
    finally:
        await sandbox.close()
    print(f"\n{known} of {total} parts known; not: {unknown}")
    assert known / total > 0.95
    seeds = {"meta-llama-Llama-3.1-8B-Instruct", "microsoft-Phi-3.5-mini-instruct"}
    seeds |= {"Qwen-Qwen2.5-7B-Instruct", "Qwen-Qwen3-0.6B"}
    assert not seeds & unknown.keys()

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import pytest_asyncio

from tests.support.llama_cpp_sdist import UnavailableError
from tests.support.templates import CHATS, SPECIAL_TOKENS, real_templates
from transformers_ls.chat.conversation import find_conversations
from transformers_ls.chat.inspect import dropped, has_generation_tags, inspect
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.lint import lint
from transformers_ls.chat.sandbox import RenderRequest, Sandbox


def system(content):
    return {"role": "system", "content": content}


def user(content, **more):
    return {"role": "user", "content": content, **more}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {}}}

ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
)
CHATML = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"


def source_of(*messages, **row):
    return json.dumps({"messages": list(messages), **row}, indent=1)


def only(text):
    (chat,) = find_conversations("json", text)
    return chat


@pytest.mark.parametrize(
    ("messages", "row", "expected"),
    [
        ([user("a"), assistant("b")], {}, []),
        ([user("a"), assistant("")], {}, [("empty-assistant", 1)]),
        ([user("a"), assistant(None)], {}, [("empty-assistant", 1)]),
        ([user("a"), assistant("", tool_calls=[CALL])], {}, []),
        ([{"role": "narrator", "content": "x"}], {}, [("unknown-role", 0)]),
        ([{"role": "ipython", "content": "x"}], {}, []),  # The template names it.
        ([user("a <|end|> b <s>")], {}, [("special-token-in-content", 0)] * 2),
        ([user("a"), assistant("", tool_calls=[CALL])], {"tools": [TOOL]}, []),
        (
            [user("a"), assistant("", tool_calls=[{"function": {"name": "fly"}}])],
            {"tools": [TOOL]},
            [("tool-not-offered", 1)],
        ),
        (
            [user("a"), {"role": "tool", "content": "1", "tool_call_id": "c9"}],
            {},
            [("tool-result-unmatched", 1)],
        ),
        (
            [
                user("a"),
                assistant("", tool_calls=[CALL]),
                {"role": "tool", "content": "1", "tool_call_id": "c1"},
            ],
            {},
            [],
        ),
        ([user("a")], {"tools": ["x"]}, [("tool-schema", None)]),
        ([user("a")], {"tools": [{"function": 7}]}, [("tool-schema", None)]),
        ([user("a")], {"tools": [{"function": {"name": ""}}]}, [("tool-schema", None)]),
        ([user("a")], {"tools": [{"name": "f", "parameters": []}]}, [("tool-schema", None)]),
        ([user("a"), assistant("", tool_calls="none")], {}, []),
        ([user("a"), assistant("b", tool_calls=[7])], {}, []),
    ],
)
def test_lint(messages, row, expected):
    text = source_of(*messages, **row)
    chat = only(text)
    found = lint(chat, text, specials=["<s>", "<|end|>"], template="{% if m.role == 'ipython' %}")
    places = []
    for problem in found:
        at = [
            n
            for n, m in enumerate(chat.messages)
            if m.start <= problem.start < problem.end <= m.end
        ]
        places.append((problem.code, at[0] if at else None))
    assert places == expected


def test_a_special_token_is_marked_where_it_stands():
    text = source_of(user("é 😀 \n <|end|>"))
    (problem,) = lint(only(text), text, specials=["<|end|>"])
    assert text[problem.start : problem.end] == "<|end|>"


@pytest.mark.parametrize(
    ("messages", "prompt", "codes"),
    [
        ([user("a  b\n\nc")], "<user>a b c", []),
        ([user('say "é"\nnow')], r'{"content": "say \"é\"\nnow"}', []),
        ([user("gone")], "<user>", ["content-dropped"]),
        ([user("")], "", []),
        ([user([{"type": "text", "text": "in"}, {"type": "image"}])], "in", []),
        ([user([{"type": "text", "text": "out"}])], "", ["content-dropped"]),
        ([assistant("yes", reasoning_content="why")], "yes", ["reasoning-dropped"]),
        ([assistant("yes", thinking="why")], "why yes", []),
        ([assistant("<think>why</think>yes")], "yes", ["reasoning-dropped"]),
        ([assistant("<think>why</think>yes")], "<think>why</think>yes", []),
        ([assistant("<think></think>yes")], "yes", []),
        ([assistant("", tool_calls=[CALL])], "", ["tool-calls-dropped"]),
        ([assistant("", tool_calls=[CALL])], '{"name": "look"}', []),
    ],
)
def test_dropped(messages, prompt, codes):
    assert [problem.code for problem in dropped(only(source_of(*messages)), prompt)] == codes


def test_dropped_tools():
    chat = only(source_of(user("a"), tools=[TOOL]))
    assert [problem.code for problem in dropped(chat, "a")] == ["tools-dropped"]
    assert list(dropped(chat, 'a {"name": "look"}')) == []


def apply(text, fix):
    edits = sorted(fix.edits, key=lambda edit: edit.start, reverse=True)
    for later, earlier in pairwise(edits):
        assert earlier.end <= later.start
    for edit in edits:
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


shares_a_child = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox():
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=60))
    yield sandbox
    await sandbox.close()


async def problems_of(text, template, sandbox, **more):
    chat = only(text)
    request = RenderRequest(template, chat.as_chat(), tools=chat.tools, **more)
    return chat, (await inspect(chat, text, request, sandbox, [])).problems


@pytest.mark.parametrize(
    ("messages", "at", "title", "repaired"),
    [
        (
            [user("a \u00e9"), assistant("b"), user("c\n"), user("d"), user("e"), assistant("f")],
            3,
            "Merge neighbouring messages of the same role",
            [user("a é"), assistant("b"), user("c\n\n\nd\n\ne"), assistant("f")],
        ),
        (
            [system('be "brief"'), user("a"), assistant("b")],
            0,
            "Move the system text into the first user message",
            [user('be "brief"\n\na'), assistant("b")],
        ),
    ],
)
@shares_a_child
async def test_a_refusal_is_mapped_and_its_repair_works(sandbox, messages, at, title, repaired):
    text = source_of(*messages)
    chat, problems = await problems_of(text, ALTERNATE, sandbox)
    (problem,) = [problem for problem in problems if problem.code == "template-refuses"]
    assert (problem.start, problem.end) == (chat.messages[at].start, chat.messages[at].end)
    assert "Roles must alternate" in problem.message
    assert [fix.title for fix in problem.fixes] == [title]
    after = apply(text, problem.fixes[0])
    assert json.loads(after) == {"messages": repaired}
    _, left = await problems_of(after, ALTERNATE, sandbox)
    assert left == []


@shares_a_child
async def test_no_repair_is_offered_that_does_not_help(sandbox):
    text = source_of(user("a"), user("b"))
    _, (problem,) = await problems_of(text, "{{ raise_exception('never') }}", sandbox)
    assert problem.fixes == ()


@shares_a_child
async def test_an_invalid_template_is_no_fault_of_a_message(sandbox):
    chat, (problem,) = await problems_of(source_of(user("a")), "{% if %}", sandbox)
    assert (problem.start, problem.end) == (chat.start, chat.end)


async def test_a_template_that_runs_on():
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=0.2))
    try:
        forever = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
        _, (problem,) = await problems_of(source_of(user("a")), forever, sandbox)
        assert problem.code == "template-limit"
    finally:
        await sandbox.close()


@shares_a_child
async def test_double_bos(sandbox):
    template = "{{ bos_token }}" + CHATML.replace("<{{ m.role }}>", "")
    bos = {"special_tokens": {"bos_token": "<s>"}}
    _, problems = await problems_of(source_of(user("<s>a")), template, sandbox, **bos)
    assert [problem.code for problem in problems] == ["double-bos"]
    assert (await problems_of(source_of(user("a")), template, sandbox, **bos))[1] == []


THINKS_LAST = CHATML + "{% if add_generation_prompt %}<assistant><think></think>{% endif %}"


@shares_a_child
async def test_prompts_that_are_no_prefix_of_the_next(sandbox):
    turns = user("a"), assistant("b"), user("c"), assistant("d"), user("e")
    chat, (problem,) = await problems_of(source_of(*turns), THINKS_LAST, sandbox)
    assert problem.code == "prefix-changes"
    assert problem.start == chat.messages[2].start
    stable = CHATML + "{% if add_generation_prompt %}<assistant>{% endif %}"
    assert (await problems_of(source_of(*turns), stable, sandbox))[1] == []


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% generation %}x{% endgeneration %}", True),
        ("{%- generation -%}x{%- endgeneration -%}", True),
        ("{{ generation }}", False),
        ("", False),
    ],
)
def test_generation_tags(template, expected):
    assert has_generation_tags(template) == expected


@shares_a_child
async def test_what_is_found_in_real_templates(sandbox):
    try:
        templates = real_templates()
    except UnavailableError as error:
        pytest.skip(str(error))
    found = {}
    for name in ("meta-llama-Llama-3.1-8B-Instruct", "Qwen-Qwen3-0.6B", "google-gemma-2-2b-it"):
        for kind in ("system, multi turn", "two users in a row", "reasoning", "tools"):
            chat = CHATS[kind]
            text = source_of(*chat["messages"], tools=chat.get("tools"))
            more = {"special_tokens": SPECIAL_TOKENS}
            _, problems = await problems_of(text, templates[name], sandbox, **more)
            found[name.split("-")[1], kind] = {p.code: len(p.fixes) for p in problems}
    assert found == {
        ("llama", "system, multi turn"): {},
        ("llama", "two users in a row"): {},
        ("llama", "reasoning"): {"reasoning-dropped": 0},
        ("llama", "tools"): {},
        ("Qwen3", "system, multi turn"): {},
        ("Qwen3", "two users in a row"): {},
        ("Qwen3", "reasoning"): {"reasoning-dropped": 0},
        ("Qwen3", "tools"): {},
        ("gemma", "system, multi turn"): {"template-refuses": 1},
        ("gemma", "two users in a row"): {"template-refuses": 1},
        ("gemma", "reasoning"): {"reasoning-dropped": 0},
        ("gemma", "tools"): {"template-refuses": 1},
    }


@shares_a_child
@pytest.mark.parametrize(
    ("start", "severity"),
    [("*history, ", "information"), ("", "error")],
)
async def test_what_a_program_may_still_add_is_no_error(sandbox, start, severity):
    text = f'm = [{start}{{"role": "assistant", "content": "b"}}]'
    (chat,) = find_conversations("python", text)
    request = RenderRequest(ALTERNATE, chat.as_chat())
    problems = (await inspect(chat, text, request, sandbox)).problems
    assert [(problem.code, problem.severity) for problem in problems] == [
        ("template-refuses", severity)
    ]

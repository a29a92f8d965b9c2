"""Datasets by the line: the quick way finds what the thorough one does, at its place."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from transformers_ls.chat.conversation import find_conversations
from transformers_ls.chat.dataset import DatasetChecker, LineCheck
from transformers_ls.chat.inspect import inspect
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.prompt import conversation_request
from transformers_ls.chat.report import DatasetReport
from transformers_ls.chat.rows import plain_chat
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate
from transformers_ls.chat.window import TokenLimit

ALTERNATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}<{{ m.role }}>{{ m.content }}\n"
    "{% endfor %}"
)
TEMPLATE = ChatTemplate(ALTERNATE, "test", {"bos_token": "<s>"})
ROOMY = Limits(seconds=60, cpu_seconds=60)
USER = {"role": "user", "content": "a\u2028b"}
ANSWER = {"role": "assistant", "content": "é 😀"}

LINES = [
    json.dumps({"messages": [USER, ANSWER], "id": 7}),
    "",
    json.dumps({"messages": [USER, USER]}),
    json.dumps([USER, ANSWER]),
    json.dumps({"conversations": [{"from": "human", "value": "x"}]}),
    json.dumps({"prompt": [USER], "chosen": [ANSWER], "rejected": [{**ANSWER, "content": ""}]}),
    json.dumps({"messages": [{"role": "user", "content": "one <|end|> two"}]}),
    '{"messages": [',
    json.dumps({"a": 1}),
    json.dumps({"messages": [USER, {**ANSWER, "reasoning_content": "why"}]}),
    json.dumps({"messages": [USER], "tools": [{"name": "f"}]}),
    json.dumps({"messages": [USER], "tools": '[{"name": "f"}]'}),
    json.dumps({"messages": [USER], "chat_template_kwargs": {"a": 1}, "more": [ANSWER]}),
    json.dumps({"messages": [{**USER, "role": 7}]}),
    json.dumps({"messages": [USER, "no message"]}),
    json.dumps({"messages": []}),
    json.dumps({"messages": [USER], "meta": {"messages": [USER, ANSWER]}}),
]


@asynccontextmanager
async def checker(**more):
    more = {
        "processes": 2,
        "limits": ROOMY,
        "count_many": lambda texts: list(map(len, texts)),
    } | more
    checker = DatasetChecker(TEMPLATE, frozenset({"<|end|>"}), **more)
    try:
        yield checker
    finally:
        await checker.close()


async def all_of(checks):
    return [check async for check in checks]


async def test_every_line_is_checked_as_an_editor_would():
    async with checker(repairs=True) as ours:
        found = await all_of(ours.check(LINES))
    sandbox = Sandbox(ROOMY)
    try:
        for check, (number, line) in zip(
            found, [(n, line) for n, line in enumerate(LINES) if line], strict=True
        ):
            problems, lengths = [], []
            for chat in find_conversations("json", line):
                request = conversation_request(TEMPLATE, chat, add_generation_prompt=False)
                inspection = await inspect(chat, line, request, sandbox, ["<|end|>"])
                problems += inspection.problems
                lengths.append(None if inspection.prompt is None else len(inspection.prompt))
            problems.sort(key=lambda problem: (problem.start, problem.end))
            assert check == LineCheck(number, tuple(problems), tuple(lengths)), line
    finally:
        await sandbox.close()
    assert {problem.code for check in found for problem in check.problems} >= {
        "template-refuses",
        "special-token-in-content",
        "reasoning-dropped",
        "tools-dropped",
        "empty-assistant",
    }
    assert [fix.title for fix in found[1].problems[0].fixes] == [
        "Merge neighbouring messages of the same role"
    ]


@pytest.mark.parametrize("line", [line for line in LINES if line])
def test_a_plain_row_is_read_as_by_the_reader_of_places(line):
    plain = plain_chat(line)
    if plain is not None:
        (chat,) = find_conversations("json", line)
        assert plain.as_chat() == chat.as_chat()
        assert (plain.tools, plain.template_kwargs) == (chat.tools, chat.template_kwargs)


async def test_a_dataset_has_to_be_whole():
    async with checker(strict=True) as ours:
        found = {c.number: [p.code for p in c.problems] for c in await all_of(ours.check(LINES))}
    assert found[7] == ["invalid-json"]
    assert found[8] == ["no-chat"]
    assert found[0] == []


async def test_a_prompt_over_the_limit_is_marked_at_the_turn_that_is_cut():
    prompt_length = len("<user>a\u2028b\n<assistant>é 😀\n")
    rows = [json.dumps({"messages": [USER, ANSWER]})]
    async with checker(limit=TokenLimit(prompt_length)) as ours:
        assert (await all_of(ours.check(rows)))[0].problems == ()
    async with checker(limit=TokenLimit(prompt_length - 1)) as ours:
        (problem,) = (await all_of(ours.check(rows)))[0].problems
    assert problem.code == "too-long"
    assert json.loads(rows[0][problem.start : problem.end]) == ANSWER
    assert f"{prompt_length} tokens" in problem.message


async def test_many_lines_come_in_order_and_a_caller_may_stop():
    lines = [json.dumps({"messages": [{"role": "user", "content": "x" * n}]}) for n in range(700)]
    async with checker() as ours:
        found = await all_of(ours.check(lines))
        assert [check.number for check in found] == list(range(700))
        assert [check.tokens[0] for check in found] == [len("<user>\n") + n for n in range(700)]
        checks = ours.check(lines)
        assert (await anext(checks)).number == 0
        await checks.aclose()
        assert len(await all_of(ours.check(lines[:3]))) == 3
    assert len(asyncio.all_tasks()) == 1


def test_the_report():
    report = DatasetReport(limit=90)
    for number in range(100):
        report.add(LineCheck(number, (), (number + 1,)))
    report.add(LineCheck(100, (), (None,)))
    assert [report.percentile(p) for p in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert (report.chats, report.unrendered, report.over_limit) == (101, 1, 10)
    assert report.as_json()["tokens"] == {
        "total": 5050, "p50": 50, "p90": 90, "p99": 99, "max": 100
    }  # fmt: skip
    assert DatasetReport().percentile(50) is None


async def test_turns_are_compared_in_the_first_rows_only_where_that_is_wanted():
    template = ChatTemplate(
        "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}?{% endif %}",
        "test",
    )
    rows = [
        json.dumps({"messages": [USER, ANSWER, {**USER, "content": str(n)}]}) for n in range(300)
    ]
    found = {}
    for compared in (None, 100, 0):
        ours = DatasetChecker(template, processes=1, limits=ROOMY, compared=compared)
        try:
            checks = await all_of(ours.check(rows))
        finally:
            await ours.close()
        found[compared] = [c.number for c in checks if c.problems]
        assert {p.code for c in checks for p in c.problems} <= {"prefix-changes"}
    # A batch is compared as a whole.
    assert found == {None: list(range(300)), 100: list(range(128)), 0: []}

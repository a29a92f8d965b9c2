"""A document that is edited: every row is checked, and only once while it stays as it is."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest_asyncio

from tests.unit.chat.test_dataset import ALTERNATE, ANSWER, ROOMY, USER
from transformers_ls.chat import checking
from transformers_ls.chat.checking import ChatChecker, CheckContext
from transformers_ls.chat.sandbox import Sandbox
from transformers_ls.chat.template import ChatTemplate
from transformers_ls.chat.window import window_limit
from transformers_ls.text.snapshot import Snapshot

CONTEXT = CheckContext(ChatTemplate(ALTERNATE, "test"), frozenset({"<|end|>"}))
GOOD = json.dumps({"messages": [USER, ANSWER]})
BAD = json.dumps({"messages": [USER, USER]})


@pytest_asyncio.fixture
async def sandbox():
    sandbox = Sandbox(ROOMY)
    yield sandbox
    await sandbox.close()


async def last(checks):
    return [progress async for progress in checks][-1]


def apply(text, fix):
    for edit in sorted(fix.edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


async def test_problems_and_repairs_stand_where_their_rows_do(sandbox):
    text = f'{GOOD}\n{BAD}\n\n{{"messages": [\n{GOOD}\n{BAD}'
    progress = await last(ChatChecker(sandbox).check("jsonl", Snapshot.of(text), CONTEXT, None))
    assert (progress.done, progress.total) == (6, 6)
    assert [text.count("\n", 0, problem.start) for problem in progress.problems] == [1, 5]
    for problem in progress.problems:
        assert problem.code == "template-refuses"
        assert json.loads(text[problem.start : problem.end]) == USER
        text = apply(text, problem.fixes[0])
        break
    progress = await last(ChatChecker(sandbox).check("jsonl", Snapshot.of(text), CONTEXT, None))
    assert [text.count("\n", 0, problem.start) for problem in progress.problems] == [5]


async def test_only_the_edited_row_is_checked_again(sandbox, monkeypatch):
    asked = []
    real = Sandbox.study

    async def study(self, requests, **more):
        asked.append(len(requests))
        return await real(self, requests, **more)

    monkeypatch.setattr(Sandbox, "study", study)
    checker = ChatChecker(sandbox)
    rows = [json.dumps({"messages": [USER, {**ANSWER, "content": str(n)}]}) for n in range(40)]
    await last(checker.check("jsonl", Snapshot.of("\n".join(rows)), CONTEXT, None))
    assert asked == [40]
    rows[7] = rows[7].replace('"7"', '"seven"')
    rows.insert(0, rows[3])
    await last(checker.check("jsonl", Snapshot.of("\n".join(rows)), CONTEXT, None))
    assert asked == [40, 1]
    other = CheckContext(CONTEXT.template, CONTEXT.specials, window_limit(5), "letters")
    progress = await last(
        checker.check(
            "jsonl", Snapshot.of("\n".join(rows)), other, lambda texts: list(map(len, texts))
        )
    )
    assert {problem.code for problem in progress.problems} == {"over-window"}
    assert len(progress.problems) == 41


async def test_a_large_dataset_tells_how_far_it_is_and_may_be_left(sandbox, monkeypatch):
    monkeypatch.setattr(checking, "_FEW_ROWS", 16)
    rows = [json.dumps({"messages": [USER, {**USER, "content": str(n)}]}) for n in range(600)]
    checker = ChatChecker(sandbox)
    async with aclosing(
        checker.check("jsonl", Snapshot.of("\n".join(rows)), CONTEXT, None)
    ) as checks:
        first = await anext(checks)
    assert first.done == len(first.problems) == 30
    seen = [p async for p in checker.check("jsonl", Snapshot.of("\n".join(rows)), CONTEXT, None)]
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert len(seen) > 5
    assert len(seen[-1].problems) == 600


async def test_other_languages_are_one_row(sandbox):
    text = f"[{GOOD},\n{BAD}]"
    progress = await last(ChatChecker(sandbox).check("json", Snapshot.of(text), CONTEXT, None))
    assert [text.count("\n", 0, problem.start) for problem in progress.problems] == [1]

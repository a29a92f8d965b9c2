"""A dataset of chats checked, against a plain loop over transformers' own tokenization of it.

    python bench/dataset.py [CHATS]

Prints, by the clock and by processor time of all processes, chats a second of `for row: tokenizer.apply_chat_template(row, tokenize=True)` and of our
check, which finds problems too; the goal is at least three times as many. The
lengths must be equal.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from transformers_ls.chat.dataset import DatasetChecker
from transformers_ls.chat.report import DatasetReport
from transformers_ls.chat.template import find_template
from transformers_ls.hub.resolve import resolve
from transformers_ls.tokens.tokenizers import load_counter

MODEL = "smollm2-135m"
CHATS = 20_000
WORDS = ("weather", "boats,", "harbours:", "a", "prompt", "1984", "3.14", "naïve", "façade", "你好")


def rows(number):
    chance = random.Random(7)
    for _ in range(number):
        turns = 2 * chance.randint(1, 4)
        messages = (
            [{"role": "system", "content": "You are terse."}] if chance.random() < 0.5 else []
        )
        for turn in range(turns):
            words = chance.choices(WORDS, k=chance.randint(5, 120))
            messages.append({"role": ("user", "assistant")[turn % 2], "content": " ".join(words)})
        yield json.dumps({"messages": messages}, ensure_ascii=False)


def clocks():
    times = os.times()
    return time.perf_counter(), sum(times[:4])


def elapsed(began):
    return tuple(now - then for now, then in zip(clocks(), began, strict=True))


def plain_loop(folder, lines):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    began = clocks()
    lengths = [
        len(tokenizer.apply_chat_template(json.loads(line)["messages"], return_dict=False))
        for line in lines
    ]
    return lengths, elapsed(began)


async def our_check(folder, lines):
    counter = load_counter(folder)
    counter.count("warm")
    specials, many = counter.special_tokens, counter.count_many
    # As `transformers-ls check` does it.
    checker = DatasetChecker(find_template(folder), specials, many, strict=True, compared=1_000)
    report = DatasetReport()
    began = clocks()
    try:
        async for check in checker.check(lines):
            report.add(check)
    finally:
        await checker.close()
    return report, elapsed(began)


def main():
    number = int(sys.argv[1]) if len(sys.argv) > 1 else CHATS
    lines = list(rows(number))
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # One chat has nothing to share out.
    folder = resolve(MODEL).folder
    print(f"{number:,} chats, {sum(map(len, lines)) / 1e6:.1f} MB, {os.cpu_count()} cores, {MODEL}")
    report, ours = asyncio.run(our_check(folder, lines))
    lengths, theirs = plain_loop(folder, lines)
    assert lengths == report.lengths, "the lengths differ"
    for kind, mine, other in zip(("clock", "processors"), ours, theirs, strict=True):
        print(
            f"{kind:10} transformers, a plain loop {number / other:7,.0f} chats/s, check with its "
            f"start {number / mine:7,.0f} chats/s, ratio {other / mine:.2f} (goal: 3)"
        )


if __name__ == "__main__":
    main()

"""A task run, over a scripted engine."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.engine import ScriptedEngine
from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.built_in import BUILT_IN
from transformers_ls.tasks.catalogue import get_task
from transformers_ls.tasks.facts import RunFacts
from transformers_ls.tasks.languages import language_name
from transformers_ls.tasks.request import WritingRequest
from transformers_ls.tasks.work import QuestionAnswering, Writing
from transformers_ls.tasks.writing import WritingRun


def writing(task: str) -> Writing:
    """Return what a model is asked to write."""
    work = get_task(task).work
    work = work.writing if isinstance(work, QuestionAnswering) else work
    assert isinstance(work, Writing)
    return work


def request(task: str, text: str, **more) -> WritingRequest:
    return WritingRequest(writing(task), text, "model", **({"kind": "chat"} | more))


async def run(engine, task: WritingRequest) -> WritingRun:
    task_run = WritingRun(engine, task)
    deltas = [delta async for delta in task_run.deltas()]
    assert "".join(deltas) == task_run.text
    return task_run


async def test_the_white_space_around_an_answer_is_dropped():
    engine = ScriptedEngine("\n ", " Hel", "lo ", " there", " \n", "\n")
    assert (await run(engine, request("generate", "Hi"))).text == "Hello  there"


@pytest.mark.parametrize("kind", ["chat", "base"])
async def test_an_answer_without_words_is_an_error(kind):
    """It would otherwise replace the selection by nothing."""
    with pytest.raises(EngineError, match="nothing"):
        await run(ScriptedEngine(" ", "\n"), request("translate", "Hi.", kind=kind))


async def test_a_sentence_without_an_answer_stays():
    class Silent(ScriptedEngine):
        async def text_generation(self, prompt, **options):
            self.tokens = (" ",) if "Two." in prompt else ("Bonjour.",)
            async for chunk in super().text_generation(prompt, **options):
                yield chunk

    done = await run(Silent(), request("translate", "- One. Two.\n", kind="base"))
    assert done.text == "- Bonjour. Two.\n"


async def test_copied_text_is_not_the_first_token():
    now = iter(range(100))
    task_run = WritingRun(
        ScriptedEngine("x"), request("translate", "- One.", kind="base"), clock=lambda: next(now)
    )
    assert "".join([delta async for delta in task_run.deltas()]) == "- x"
    assert task_run.facts.time_to_first_token == 1


async def test_every_built_in_prompt_holds_the_text():
    writes = [n for n, t in BUILT_IN.items() if isinstance(t.work, Writing | QuestionAnswering)]
    for name in writes:
        for kind in ("chat", "base") if writing(name).base_prompt else ("chat",):
            engine = ScriptedEngine("x")
            await run(
                engine,
                request(name, "some {curly words}", kind=kind, target_language="French"),
            )
            (asked,) = engine.asked
            prompt = asked["messages"][-1]["content"] if kind == "chat" else asked["prompt"]
            assert "some {curly words}" in prompt


async def test_languages_without_examples_are_named():
    engine = ScriptedEngine("x")
    await run(engine, request("translate", "Hi.", kind="base", target_language="Klingon"))
    assert "Klingon" in engine.asked[0]["prompt"]


@pytest.mark.parametrize("text", ["", "  \n ", "---\n"])
async def test_nothing_to_work_on(text):
    with pytest.raises(UsageError):
        await run(ScriptedEngine("x"), request("translate", text, kind="base"))


async def test_closing_early_stops_the_engine():
    engine = ScriptedEngine("a", "b", "c")
    deltas = WritingRun(engine, request("generate", "Hi")).deltas()
    await anext(deltas)
    await deltas.aclose()
    assert (engine.stopped, engine.running) == (1, 0)


def test_the_rate_is_that_of_decoding():
    facts = RunFacts("m", completion_tokens=11, time_to_first_token=1.0, seconds=3.0)
    assert facts.tokens_per_second == 5.0
    assert dataclasses.replace(facts, completion_tokens=1).tokens_per_second == 0


def test_unknown_tasks_say_which_there_are():
    with pytest.raises(UsageError, match="summarize, translate, generate"):
        get_task("dance")


@pytest.mark.parametrize(
    ("language", "name"),
    [("fr", "French"), ("french", "French"), ("German", "German"), ("Klingon", "Klingon")],
)
def test_languages_are_named_as_prompts_name_them(language, name):
    assert language_name(language) == name


@pytest.mark.parametrize(
    ("language", "source"), [("French", "English"), ("de", "English"), ("English", "French")]
)
def test_examples_end_in_the_wanted_language(language, source):
    prompt = writing("translate").continuation("TEXT", language, "")
    *shots, last = prompt.split("\n\n")
    assert len(shots) == 4
    assert all(shot.startswith(f"{source}: ") for shot in shots)
    assert last == f"{source}: TEXT\n{language_name(language)}:"


class Translating(ScriptedEngine):
    """Answers each text with itself in capitals; `drops` are words that its answers lack."""

    def __init__(self, *drops: str) -> None:
        super().__init__()
        self.drops = drops

    async def chat_completion(self, messages, **options):
        self._say(messages[-1]["content"].split("\n\n", 1)[1])
        async for chunk in super().chat_completion(messages, **options):
            yield chunk

    async def text_generation(self, prompt, **options):
        self._say(prompt.rsplit("English: ", 1)[1].rsplit("\n", 1)[0])
        async for chunk in super().text_generation(prompt, **options):
            yield chunk

    def _say(self, text: str) -> None:
        for word in self.drops:
            text = text.replace(word, "")
        self.tokens = (" ", *(f"{word} " for word in text.upper().split(" ")))


MARKDOWN = """---
title: Notes
---

# The title

First one. Then another one.

```python
print("kept")
```

- A point. With two sentences.
"""


@pytest.mark.parametrize("kind", ["chat", "base"])
async def test_markdown_keeps_its_shape(kind):
    engine = Translating()
    done = await run(engine, request("translate", MARKDOWN, kind=kind, target_language="French"))
    head, fence, last = MARKDOWN.partition('```python\nprint("kept")\n```\n')
    front, matter, body = head.rpartition("---\n")
    assert done.text == front + matter + body.upper() + fence + last.upper()
    assert engine.batches == [3 if kind == "chat" else 5]
    assert (done.facts.parts, done.facts.kept) == (engine.batches[0], 0)


async def test_pieces_are_computed_a_few_at_once():
    engine = Translating()
    text = " ".join(f"Sentence {number} is here." for number in range(20))
    done = await run(engine, request("translate", text, kind="base", target_language="French"))
    assert done.text == text.upper()
    assert engine.batches == [8, 8, 4]
    assert done.facts.prompt_tokens == 20 * 7


async def test_what_loses_its_code_stays():
    engine = Translating("`x = 1`", "HTTPS")
    text = "Write `x = 1` now.\nAll is well.\nSee https://a.example/b, please."
    done = await run(engine, request("translate", text, kind="base", target_language="French"))
    # In capitals the address is another one, too.
    assert done.text == "Write `x = 1` now.\nALL IS WELL.\nSee https://a.example/b, please."
    assert done.facts.kept == 2


async def test_a_repeated_text_is_told():
    done = await run(ScriptedEngine("Hello."), request("translate", "Hello.", kind="base"))
    assert (done.text, done.facts.kept) == ("Hello.", 1)


async def test_a_long_text_is_summarized_in_rounds():
    def count(text: str) -> int:
        return len(text.split())

    seen = []
    engine = ScriptedEngine("A short summary.")
    text = "\n\n".join(f"Paragraph {number} " + "word " * 30 for number in range(40))
    task = request("summarize", text, window=300, count=count, max_new_tokens=20)
    task_run = WritingRun(engine, task, lambda stage: seen.append(stage.message))
    assert [delta async for delta in task_run.deltas()] == ["A short summary."]
    parts = sum(engine.batches)
    assert 8 <= parts <= 16
    assert len(engine.asked) == parts + 1
    for asked in engine.asked:
        assert count(asked["messages"][-1]["content"]) + 20 + 96 <= 300
    joined = "".join(asked["messages"][-1]["content"] for asked in engine.asked)
    assert all(f"Paragraph {number} " in joined for number in range(40))
    assert engine.asked[-1]["messages"][-1]["content"].count("A short summary.") == parts
    assert f"Part 1 of {parts}" in seen
    assert task_run.facts.parts == parts + 1


async def test_examples_take_their_room_in_the_window():
    def count(text: str) -> int:
        return len(text.split())

    engine = ScriptedEngine("A short summary.")
    text = "\n\n".join("word " * 30 for _ in range(60))
    task = request("summarize", text, window=500, count=count, max_new_tokens=20)
    solved = dataclasses.replace(task.writing, examples=(("long " * 100, "short " * 50),))
    await run(engine, dataclasses.replace(task, writing=solved))
    for asked in engine.asked:
        assert len(asked["messages"]) == 3
        whole = sum(count(message["content"]) for message in asked["messages"])
        assert whole + 20 + 96 <= 500


async def test_summaries_that_do_not_get_shorter_end():
    long = "word " * 2000
    task = request("summarize", long, window=300, count=lambda text: len(text.split()))
    with pytest.raises(EngineError, match="as long as the text"):
        await run(ScriptedEngine(long), task)


async def test_a_long_paragraph_is_cut_for_a_translation():
    engine = Translating()
    text = "Some words are here. " * 100
    task = request(
        "translate",
        text,
        target_language="French",
        window=300,
        count=lambda some: len(some.split()),
        max_new_tokens=100,
    )
    done = await run(engine, task)
    assert done.text == text.upper()
    assert len(engine.asked) > 4


async def test_a_cut_answer_is_told():
    engine = ScriptedEngine("x")
    engine.finish_reason = "length"
    done = await run(engine, request("translate", "One.\n\nTwo."))
    assert done.facts.finish_reason == "length"


class Echo(ScriptedEngine):
    """An encoder-decoder: its answer is its prompt, in capitals."""

    async def text_generation(self, prompt, **options):
        self.tokens = (prompt.upper(),)
        async for chunk in super().text_generation(prompt, **options):
            yield chunk


async def test_an_encoder_decoder_gets_the_bare_sentences_and_the_languages():
    engine = Echo()
    text = "- One here. Two here.\n"
    done = await run(engine, request("translate", text, kind="seq2seq", target_language="German"))
    assert done.text == text.upper()
    assert {asked["prompt"] for asked in engine.asked} == {"One here.", "Two here."}
    assert {asked["languages"] for asked in engine.asked} == {("English", "German")}
    done = await run(engine, request("summarize", text, kind="seq2seq"))
    assert engine.asked[-1]["prompt"] == text.strip()
    assert "languages" not in engine.asked[-1]


async def test_a_t5_is_told_its_task():
    engine = Echo()
    await run(engine, request("translate", "Hi there.", kind="t5", target_language="de"))
    assert engine.asked[-1]["prompt"] == "translate English to German: Hi there."
    await run(engine, request("summarize", "A text.", kind="t5"))
    assert engine.asked[-1]["prompt"] == "summarize: A text."


async def test_an_encoder_decoder_may_answer_as_long_as_it_reads():
    engine = Echo()
    text = "word " * 1000
    task = request("summarize", text, kind="seq2seq", window=300, max_new_tokens=290)
    task = dataclasses.replace(task, count=lambda some: len(some.split()))
    with pytest.raises(EngineError, match="as long as the text"):
        await run(engine, task)
    assert max(len(asked["prompt"].split()) for asked in engine.asked) > 180

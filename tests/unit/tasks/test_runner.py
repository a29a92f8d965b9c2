"""A task run, over a scripted engine."""

from __future__ import annotations

import dataclasses

import pytest

from tests.support.engine import ScriptedEngine
from transformers_ls.errors import EngineError, UsageError
from transformers_ls.tasks.catalogue import BUILT_IN, get_task, language_name
from transformers_ls.tasks.runner import RunFacts, TaskRequest, TaskRun


def request(task: str, text: str, **more) -> TaskRequest:
    return TaskRequest(get_task(task), text, "model", **({"is_chat": True} | more))


async def run(engine, task: TaskRequest) -> TaskRun:
    task_run = TaskRun(engine, task)
    deltas = [delta async for delta in task_run.deltas()]
    assert "".join(deltas) == task_run.text
    return task_run


async def test_the_white_space_around_an_answer_is_dropped():
    engine = ScriptedEngine("\n ", " Hel", "lo ", " there", " \n", "\n")
    assert (await run(engine, request("generate", "Hi"))).text == "Hello  there"


@pytest.mark.parametrize("is_chat", [True, False])
async def test_an_answer_without_words_is_an_error(is_chat):
    """It would otherwise replace the selection by nothing."""
    with pytest.raises(EngineError, match="nothing"):
        await run(ScriptedEngine(" ", "\n"), request("translate", "Hi.", is_chat=is_chat))


async def test_a_sentence_without_an_answer_stays():
    class Silent(ScriptedEngine):
        async def text_generation(self, prompt, **options):
            self.tokens = (" ",) if "Two." in prompt else ("Bonjour.",)
            async for chunk in super().text_generation(prompt, **options):
                yield chunk

    done = await run(Silent(), request("translate", "- One. Two.\n", is_chat=False))
    assert done.text == "- Bonjour. Two.\n"


async def test_copied_text_is_not_the_first_token():
    now = iter(range(100))
    task_run = TaskRun(
        ScriptedEngine("x"), request("translate", "- One.", is_chat=False), clock=lambda: next(now)
    )
    assert "".join([delta async for delta in task_run.deltas()]) == "- x"
    assert task_run.facts.time_to_first_token == 1


async def test_every_built_in_prompt_holds_the_text():
    for name in BUILT_IN:
        for is_chat in (True, False):
            engine = ScriptedEngine("x")
            await run(
                engine,
                request(name, "some {curly} words", is_chat=is_chat, target_language="French"),
            )
            (asked,) = engine.asked
            prompt = asked["messages"][-1]["content"] if is_chat else asked["prompt"]
            assert "some {curly} words" in prompt


async def test_languages_without_examples_are_named():
    engine = ScriptedEngine("x")
    await run(engine, request("translate", "Hi.", is_chat=False, target_language="Klingon"))
    assert "Klingon" in engine.asked[0]["prompt"]


@pytest.mark.parametrize("text", ["", "  \n ", "---\n"])
async def test_nothing_to_work_on(text):
    with pytest.raises(UsageError):
        await run(ScriptedEngine("x"), request("translate", text, is_chat=False))


async def test_closing_early_stops_the_engine():
    engine = ScriptedEngine("a", "b", "c")
    deltas = TaskRun(engine, request("generate", "Hi")).deltas()
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
    prompt = get_task("translate").continuation("TEXT", language)
    *shots, last = prompt.split("\n\n")
    assert len(shots) == 4
    assert all(shot.startswith(f"{source}: ") for shot in shots)
    assert last == f"{source}: TEXT\n{language_name(language)}:"

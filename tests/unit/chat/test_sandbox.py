from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import datetime

import psutil
import pytest
import pytest_asyncio

from transformers_ls.chat import frames
from transformers_ls.chat import sandbox as module
from transformers_ls.chat.failures import TemplateRefusedError
from transformers_ls.chat.limits import Limits
from transformers_ls.chat.sandbox import RenderRequest, Sandbox
from transformers_ls.errors import TemplateError, TemplateLimitError, UsageError

USER = {"role": "user", "content": "hi \ud800 é 😀"}
ECHO = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
FOREVER = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


ROOMY = Limits(seconds=60, cpu_seconds=60)
shares_a_child = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
async def sandbox():
    sandbox = Sandbox(ROOMY)
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def warm():
    """One child for all tests that do it no harm."""
    sandbox = Sandbox(ROOMY)
    yield sandbox
    await sandbox.close()


def ask(template, **more):
    return RenderRequest(template, [USER], **more)


@pytest.mark.parametrize(
    ("template", "more", "text"),
    [
        (ECHO, {}, "user:hi \ud800 é 😀;"),
        ("{{ bos_token }}", {"special_tokens": {"bos_token": "<s>"}}, "<s>"),
        (
            "{{ bos_token }}",
            {"special_tokens": {"bos_token": "a"}, "kwargs": {"bos_token": "b"}},
            "b",
        ),
        ("{{ tools | tojson }}", {"tools": [{"a": "é"}]}, '[{"a": "é"}]'),
        ("{{ tools }}", {}, "None"),
        ("{{ add_generation_prompt }}", {"add_generation_prompt": False}, "False"),
        ("{{ documents[0].text }}", {"kwargs": {"documents": [{"text": "d"}]}}, "d"),
        ("{{ strftime_now('%Y') }}", {"now": datetime(1999, 1, 2)}, "1999"),  # noqa: DTZ001
        ("{{ 'x' if enable_thinking is defined }}", {"kwargs": {"enable_thinking": False}}, "x"),
        ("{% if true %}\n  a\n{% endif %}\nb\n", {}, "  a\nb"),
    ],
)
@shares_a_child
async def test_render(warm, template, more, text):
    assert (await warm.render(ask(template, **more))).text == text


@shares_a_child
async def test_the_clock_is_pinned_for_one_render_only(warm):
    template = "{{ strftime_now('%Y') }}"
    assert (await warm.render(ask(template, now=datetime(1999, 1, 2)))).text == "1999"  # noqa: DTZ001
    assert (await warm.render(ask(template))).text != "1999"


@shares_a_child
async def test_generation_spans(warm):
    template = (
        "a{% for m in messages %}{% generation %}{{ m.role }}{% endgeneration %};{% endfor %}"
    )
    rendered = await warm.render(ask(template, generation_spans=True))
    assert [rendered.text[start:end] for start, end in rendered.generation_spans] == ["user"]
    assert (await warm.render(ask("no tags", generation_spans=True))).generation_spans == ()
    assert (await warm.render(ask(template))).generation_spans == ()


@pytest.mark.parametrize(
    ("template", "reason", "line", "words"),
    [
        ("a\n{{ raise_exception('roles must alternate') }}", "roles must alternate", 2, "refuses"),
        ("{{ a.b.c }}", "'a' is undefined", 1, "failed"),
        (
            "\n\n{% if %}",
            "Expected an expression, got 'end of statement block'",
            3,
            "not valid Jinja",
        ),
        ("{{ messages.append(1) }}", None, 1, "may not do"),
        ("{{ 1 / 0 }}", "division by zero", 1, "ZeroDivisionError"),
    ],
)
@shares_a_child
async def test_refusals(warm, template, reason, line, words):
    with pytest.raises(TemplateRefusedError) as caught:
        await warm.render(ask(template))
    assert reason is None or caught.value.reason == reason
    assert caught.value.line == line
    assert words in caught.value.message
    assert caught.value.hint
    assert caught.value.syntax == (words == "not valid Jinja")


@shares_a_child
async def test_an_empty_chat_is_refused_as_by_transformers(warm):
    with pytest.raises(TemplateRefusedError, match="empty conversation"):
        await warm.render(RenderRequest(ECHO, []))


@shares_a_child
async def test_the_child_stays_warm_over_refusals(warm):
    await warm.start()
    pid = warm.pid
    with pytest.raises(TemplateRefusedError):
        await warm.render(ask("{{ raise_exception('no') }}"))
    await warm.render(ask(ECHO))
    assert warm.pid == pid


async def test_killed_from_outside_between_renders(sandbox):
    await sandbox.start()
    for pause in (0, 0, 0.001, 0.01, 0.1):
        psutil.Process(sandbox.pid).kill()
        await asyncio.sleep(pause)
        assert (await sandbox.render(ask(ECHO))).text


async def test_killed_from_outside_while_rendering(sandbox):
    await sandbox.start()
    child = psutil.Process(sandbox.pid)
    render = asyncio.create_task(sandbox.render(ask(FOREVER)))
    await until(lambda: child.cpu_percent(0.02) > 10)
    # Sooner it would pass for one that was killed before it was asked.
    await asyncio.sleep(0.3)
    child.kill()
    with pytest.raises(TemplateLimitError, match="ended before it answered"):
        await render
    assert (await sandbox.render(ask(ECHO))).text


async def test_a_cancelled_render_leaves_the_next_in_step():
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=0.2))
    try:
        await sandbox.start()
        slow = [asyncio.create_task(sandbox.render(ask(FOREVER))) for _ in range(3)]
        await asyncio.sleep(0)
        for task in slow:
            task.cancel()
        wanted = [ask(f"{number}") for number in range(5)]
        answers = await asyncio.gather(*(sandbox.render(request) for request in wanted))
        assert [answer.text for answer in answers] == ["0", "1", "2", "3", "4"]
        assert all(isinstance(e, asyncio.CancelledError) for e in await settle(slow))
    finally:
        await sandbox.close()


async def settle(tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


@shares_a_child
async def test_many_at_once_get_their_own_answers(warm):
    texts = [str(number) for number in range(50)]
    answers = await asyncio.gather(*(warm.render(ask(text)) for text in texts))
    assert [answer.text for answer in answers] == texts


async def test_closing_during_a_render(sandbox):
    await sandbox.start()
    render = asyncio.create_task(sandbox.render(ask(FOREVER)))
    child = psutil.Process(sandbox.pid)
    await until(lambda: child.cpu_percent(0.02) > 10)
    await sandbox.close()
    with pytest.raises(TemplateLimitError):
        await render


async def test_nothing_goes_on_after_closing(sandbox):
    await sandbox.start()
    render = asyncio.create_task(sandbox.render(ask(FOREVER)))
    child = psutil.Process(sandbox.pid)
    await until(lambda: child.cpu_percent(0.02) > 10)
    # Nobody waits for the exchange any more.
    render.cancel()
    await settle([render])
    await sandbox.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_while_the_child_starts(monkeypatch):
    sandbox, started = Sandbox(ROOMY), []
    start = module.RenderProcess.start

    async def watched(limits):
        process = await start(limits)
        started.append(psutil.Process(process.pid))
        await closing.wait()
        return process

    closing = asyncio.Event()
    monkeypatch.setattr(module.RenderProcess, "start", watched)
    render = asyncio.create_task(sandbox.render(ask(ECHO)))
    async with asyncio.timeout(60):
        while not started:  # noqa: ASYNC110 - nobody is told of it.
            await asyncio.sleep(0.01)
        close = asyncio.create_task(sandbox.close())
        await asyncio.sleep(0)
        closing.set()
        await close
        with pytest.raises(TemplateError, match="closed"):
            await render
    assert sandbox.pid is None
    assert psutil.wait_procs(started, 30)[1] == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(seconds=0.2, cpu_seconds=60), "ran longer than 0.2 s"),
        (Limits(seconds=60, cpu_seconds=0.2), "computed longer than 0.2 s"),
    ],
)
async def test_time_on_the_wall_and_on_the_processor(limits, words):
    sandbox = Sandbox(limits)
    try:
        with pytest.raises(TemplateLimitError, match=words):
            await sandbox.render(ask(FOREVER))
    finally:
        await sandbox.close()


@pytest.mark.parametrize("value", [object(), {1, 2}, [b"bytes"]])
async def test_values_that_are_not_json(sandbox, value):
    with pytest.raises(UsageError, match="not JSON"):
        await sandbox.render(ask(ECHO, kwargs={"x": value}))


async def test_too_large_a_chat(sandbox, monkeypatch):
    monkeypatch.setattr(module, "_MAX_REQUEST_BYTES", 100)
    with pytest.raises(TemplateLimitError, match="too large"):
        await sandbox.render(ask(ECHO))


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("import sys; sys.exit(3)", "could not start"),
        ("import os; os.write(1, b'hello, I am not a frame')", "could not start"),
        ("import os; os.write(1, b'\\xff\\xff\\xff\\xff')", "could not start"),
        ("import os; os.write(1, b'\\0\\0\\0\\x02no')", "could not start"),
    ],
)
async def test_a_child_that_cannot_start(monkeypatch, says, error):
    await with_child(monkeypatch, says, TemplateError, error)


GREETING = """
import os, struct, json
greeting = json.dumps({"ready": True}).encode()
os.write(1, struct.pack(">I", len(greeting)) + greeting)
os.read(0, 4)
"""


@pytest.mark.parametrize(
    "says",
    [
        "os.write(1, b'\\xff\\xff\\xff\\xff')",
        "os.write(1, b'\\0\\0\\0\\x02no')",
        "os.write(1, b'\\0\\0\\0\\x02[]')",
        "os.write(1, b'\\0\\0\\0\\x0a{\"id\": -1}')",
        'os.write(1, b\'\\0\\0\\0\\x19{"replies": [{"id": -1}]}\')',
        "os.write(1, b'\\0\\0\\0\\x10{\"replies\": [1]}')",
        "os.write(1, b'\\0\\0\\0\\x0e{\"replies\": 1}')",
        "os.write(1, b'\\0\\0\\0\\x0a')",
        "os.abort()",
    ],
)
async def test_a_child_that_answers_nonsense(monkeypatch, says):
    await with_child(monkeypatch, GREETING + says, TemplateLimitError, "ended before it answered")


async def with_child(monkeypatch, program, kind, words):
    """Render with another program in the child's place."""
    real = asyncio.create_subprocess_exec

    async def fake(*command, **more):
        return await real(sys.executable, "-c", program, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fake)
    sandbox = Sandbox()
    try:
        with pytest.raises(kind, match=words):
            await sandbox.render(ask(ECHO))
        assert sandbox.pid is None
    finally:
        await sandbox.close()


def start_child(limits='{"seconds": 0.3, "cpu_seconds": 60}'):
    command = [sys.executable, "-P", "-m", "transformers_ls.chat.child", limits]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    header = child.stdout.read(frames.HEADER_BYTES)
    assert frames.decode(child.stdout.read(frames.length_of(header)))["ready"] is True
    return child


def test_the_child_ends_when_its_input_does():
    child = start_child()
    child.stdin.close()
    assert child.wait(30) == 0
    child.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="alarms are POSIX")
@pytest.mark.parametrize("template", [FOREVER, "{{ 9 ** (9 ** 9) }}"])
def test_the_child_ends_by_itself_when_its_parent_dies_during_a_render(template):
    child = start_child()
    job = {"messages": [USER], "tools": None, "add_generation_prompt": True, "kwargs": {}, "id": 1}
    renderer = psutil.Process(child.pid).children()
    child.stdin.write(
        frames.encode(
            {
                "template": template,
                "special_tokens": {},
                "want": "text",
                "careful": True,
                "jobs": [job],
            }
        )
    )
    child.stdin.close()
    child.wait(30)
    assert psutil.wait_procs(renderer, 30)[1] == []
    assert b'"text"' not in child.stdout.read()
    child.stdout.close()


def test_the_child_never_imports_torch():
    program = """
import sys
from transformers_ls.chat.child import Renderer
Renderer().warm_up()
heavy = {"torch", "tensorflow", "jax", "PIL"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_front_imports_nothing_heavy():
    program = """
import sys
import transformers_ls.chat.conversation, transformers_ls.chat.template
import transformers_ls.chat.sandbox, transformers_ls.chat.attribution
heavy = {"jinja2", "transformers", "tree_sitter", "numpy", "lsprotocol"} & set(sys.modules)
sys.exit(str(heavy) if heavy else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


async def until(happened, seconds=20.0):
    """Wait for something to be so."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - another process tells us nothing.
            await asyncio.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks renderers")
async def test_a_renderer_that_was_stopped_has_a_successor_without_another_start(monkeypatch):
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=0.2))
    try:
        await sandbox.start()
        monkeypatch.setattr(asyncio, "create_subprocess_exec", None)
        pids = set()
        for template in (FOREVER, "{{ 'a' * 10 ** 10 }}", FOREVER):
            pids.add(sandbox.pid)
            with pytest.raises(TemplateLimitError):
                await sandbox.render(ask(template))
            assert (await sandbox.render(ask(ECHO))).text
        assert len(pids | {sandbox.pid}) == 4
    finally:
        await sandbox.close()


async def test_where_processes_do_not_fork_a_new_one_starts(monkeypatch):
    alone = (
        "import sys; from transformers_ls.chat import child; child.can_fork = lambda: False; "
        "sys.argv = ['', '{\"seconds\": 60, \"cpu_seconds\": 0.2}']; child.main()"
    )
    real = asyncio.create_subprocess_exec

    async def fake(*command, **more):
        return await real(sys.executable, "-c", alone, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fake)
    sandbox = Sandbox(ROOMY)
    try:
        assert (await sandbox.render(ask(ECHO))).text
        first = sandbox.pid
        with pytest.raises(TemplateLimitError, match="computed longer"):
            await sandbox.render(ask(FOREVER))
        assert (await sandbox.render(ask(ECHO))).text
        assert sandbox.pid != first
    finally:
        await sandbox.close()


async def test_a_study_of_several_chats_survives_one_that_breaks_a_limit():
    template = (
        "{% if messages[0].content == 'loop' %}{% for i in range(99999) %}{% for j in range(99999) %}"
        "{% endfor %}{% endfor %}{% elif messages[0].content == 'no' %}{{ raise_exception('no') }}"
        "{% endif %}{{ messages[0].content }}"
    )
    chats = [[{"role": "user", "content": text}] for text in ("a", "loop", "no", "loop", "b")]
    sandbox = Sandbox(Limits(seconds=60, cpu_seconds=0.2))
    try:
        answers = await sandbox.study([RenderRequest(template, chat) for chat in chats])
    finally:
        await sandbox.close()
    limits = [isinstance(answer, TemplateLimitError) for answer in answers]
    assert limits == [False, True, False, True, False]
    assert [answers[0].text, answers[4].text] == ["a", "b"]
    assert answers[2].refusal.reason == "no"
    assert answers[2].at == 0

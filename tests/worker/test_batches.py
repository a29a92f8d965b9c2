"""Several prompts in one run: the same answers as one by one, each ended by itself."""

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_models import script_tail  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from tests.worker.conftest import SCRIPT  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
PROMPTS = ("The quick brown fox jumps over", "x", "日本語 🙂", "A long one: " + "word " * 40)


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


def run(models, folder, *prompts, aborted=lambda: False, **options):
    """Return each row's text and end, and the end of the run."""
    sent = []
    request = wire.Generate("r", str(folder), prompts[0], others=prompts[1:], **options)
    done = generate(request, models, CPU, sent.append, AloneTurn(aborted))
    texts = [""] * len(prompts)
    ends = {}
    for frame in sent:
        if isinstance(frame, wire.Delta):
            assert frame.row not in ends
            texts[frame.row] += frame.text
        elif isinstance(frame, wire.RowEnd):
            assert frame.row not in ends
            ends[frame.row] = frame
    return texts, ends, done


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_batch_answers_as_its_prompts_alone(name, models, request):
    folder = request.getfixturevalue(name)
    texts, ends, done = run(models, folder, *PROMPTS, max_new_tokens=24)
    alone = [run(models, folder, prompt, max_new_tokens=24) for prompt in PROMPTS]
    assert texts == [text for (text,), _, _ in alone]
    for row, (_, no_ends, single) in enumerate(alone):
        assert no_ends == {}
        assert ends[row].prompt_tokens == single.prompt_tokens
        assert ends[row].completion_tokens == single.completion_tokens
        assert ends[row].finish_reason == single.finish_reason
    assert done.completion_tokens == sum(end.completion_tokens for end in ends.values())
    assert done.prompt_tokens == sum(end.prompt_tokens for end in ends.values())


def test_rows_end_by_themselves(models, reciter):
    """One meets the end token, one a stop string, one the limit; none waits for, or cuts another."""
    whole = script_tail(reciter, SCRIPT, "zero")
    texts, ends, done = run(models, reciter, "zero", "zero one", max_new_tokens=200, stop=("nine",))
    assert texts[0] == whole[: whole.index("nine")]
    assert [ends[row].finish_reason for row in (0, 1)] == ["stop", "stop"]
    texts, ends, _ = run(models, reciter, "zero", "zero one two three", max_new_tokens=200)
    assert texts == [whole, script_tail(reciter, SCRIPT, "zero one two three")]
    assert done.finish_reason == "stop"
    assert ends[0].completion_tokens > ends[1].completion_tokens
    assert [ends[row].finish_reason for row in (0, 1)] == ["eos", "eos"]


def test_the_limit_of_one_row_is_told(models, llama):
    _, ends, done = run(models, llama, "The", "x", max_new_tokens=3)
    assert done.finish_reason == "length"
    assert {end.completion_tokens for end in ends.values()} == {3}


def test_a_penalty_is_not_for_padding(models, llama):
    """The padding of the shorter rows would count as text that must not come again."""
    options = {"max_new_tokens": 24, "repetition_penalty": 1.5}
    texts, _, _ = run(models, llama, *PROMPTS, **options)
    assert texts == [run(models, llama, prompt, **options)[0][0] for prompt in PROMPTS]


def test_a_batch_that_is_too_large_is_halved(models, llama, monkeypatch):
    """The answers so far are kept, and go on as if nothing had happened."""
    expected, *_ = run(models, llama, *PROMPTS, max_new_tokens=24)
    loaded, _ = models.get(llama, lambda *_: None, AloneTurn())
    forward, sizes, steps = loaded.model.forward, [], 0

    def crowded(*args, **kwargs):
        nonlocal steps
        rows = kwargs["input_ids"].shape[0]
        steps += 1
        if rows > 2 and steps > 5:
            raise torch.OutOfMemoryError("no more")
        sizes.append(rows)
        return forward(*args, **kwargs)

    monkeypatch.setattr(loaded.model, "forward", crowded)
    texts, ends, _ = run(models, llama, *PROMPTS, max_new_tokens=24)
    assert texts == expected
    assert set(sizes) == {4, 2}
    assert len(ends) == 4


def test_one_prompt_that_is_too_large_is_an_error(models, llama, monkeypatch):
    loaded, _ = models.get(llama, lambda *_: None, AloneTurn())

    def full(*_, **__):
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(loaded.model, "forward", full)
    with pytest.raises(torch.OutOfMemoryError):
        run(models, llama, "a", "b", max_new_tokens=4)


def test_a_long_prompt_is_found_before_any_is_computed(models, llama):
    with pytest.raises(RunError, match="window"):
        run(models, llama, "fine", "word " * 40_000, max_new_tokens=4)


def test_an_abort_ends_all_rows(models, llama):
    seen = []
    _, ends, done = run(
        models,
        llama,
        "a",
        "b",
        max_new_tokens=5000,
        aborted=lambda: seen.append(1) or len(seen) > 40,
    )
    assert done.finish_reason == "abort"
    assert ends == {}

"""Prompt lookup: the tokens of greedy decoding, in fewer steps."""

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_families import DECODERS, build  # noqa: E402
from tests.support.tiny_models import reciter, script_tail  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.drafts import Drafts  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)


@pytest.fixture
def models():
    return Models(CPU)


def run(models, folder, *prompts, aborted=lambda: False, **options):
    """Return text, end and number of steps of a run."""
    sent, steps = [], []
    loaded, _ = models.get(folder, lambda *_: None, AloneTurn())
    hook = loaded.model.register_forward_hook(lambda *_: steps.append(1))
    request = wire.Generate("r", str(folder), prompts[0], others=prompts[1:], **options)
    try:
        done = generate(request, models, CPU, sent.append, AloneTurn(aborted))
    finally:
        hook.remove()
    text = "".join(frame.text for frame in sent if isinstance(frame, wire.Delta))
    return text, done, len(steps)


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("penalty", [None, 1.3])
def test_drafts_change_no_greedy_answer(family, penalty, models, tmp_path):
    """The prompt holds what the model will write, and after it what it will not."""
    folder = build(family, tmp_path / family)
    options = {"max_new_tokens": 40, "repetition_penalty": penalty}
    written, *_ = run(models, folder, "The quick", **options)
    prompt = f"The quick{written[: len(written) // 2]} and so on. The quick"
    expected, plain, plain_steps = run(models, folder, prompt, **options)
    text, done, steps = run(models, folder, prompt, repeats_prompt=True, **options)
    assert text == expected
    assert (done.finish_reason, done.completion_tokens) == (
        plain.finish_reason,
        plain.completion_tokens,
    )
    assert plain.accepted_tokens == 0
    assert done.accepted_tokens == plain_steps - steps


def test_a_text_that_is_repeated_takes_few_steps(models, tmp_path):
    script = "red, green and blue; " * 6 + "no more."
    folder = tmp_path / "reciter"
    folder.mkdir()
    reciter(folder, script)
    _, plain, plain_steps = run(models, folder, "red, green", max_new_tokens=120)
    text, done, steps = run(models, folder, "red, green", max_new_tokens=120, repeats_prompt=True)
    assert text == script_tail(folder, script, "red, green")
    assert done.finish_reason == "eos"
    assert done.accepted_tokens + steps == plain_steps == plain.completion_tokens
    assert steps < plain_steps / 3


def test_only_for_one_greedy_answer(models, tmp_path):
    folder = build("llama", tmp_path / "llama")
    options = {"max_new_tokens": 60, "repeats_prompt": True}
    _, sampled, _ = run(models, folder, "a", temperature=1.0, seed=3, **options)
    _, several, _ = run(models, folder, "a", "b", **options)
    assert sampled.accepted_tokens == several.accepted_tokens == 0


def test_stop_strings_within_a_draft(models, tmp_path):
    folder = build("llama", tmp_path / "llama")
    whole, *_ = run(models, folder, "a", max_new_tokens=200)
    for stop in (whole[70:73], whole[150:152]):
        options = {"max_new_tokens": 200, "stop": (stop,)}
        expected, plain, _ = run(models, folder, "a", **options)
        text, done, _ = run(models, folder, "a", repeats_prompt=True, **options)
        assert (text, done.completion_tokens) == (expected, plain.completion_tokens)
        assert done.finish_reason == "stop"
        assert done.accepted_tokens < done.completion_tokens


def test_an_abort_ends_it(models, tmp_path):
    folder = build("llama", tmp_path / "llama")
    asked = []
    _, done, _ = run(
        models,
        folder,
        "a",
        max_new_tokens=5000,
        repeats_prompt=True,
        aborted=lambda: asked.append(1) or len(asked) > 50,
    )
    assert done.finish_reason == "abort"


def test_what_is_drafted():
    drafts = Drafts([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2])
    assert drafts.next(10) == [3, 4, 5, 6]
    drafts.judge(4, 4)
    drafts.extend([3, 4, 5, 6, 7])
    assert drafts.next(10) == [8, 9, 1, 2, 3, 4, 5, 6]  # Twice as many, the copy itself included.
    assert drafts.next(3) == [8, 9, 1]
    assert drafts.next(0) == []
    drafts.judge(3, 0)
    drafts.extend([90])
    assert drafts.next(10) == []


def test_a_copy_goes_on_from_where_it_was():
    """Of two places that match, the one behind the last copy, not the first or the last."""
    text = [1, 2, 3, 10, 11, 1, 2, 3, 20, 21, 1, 2, 3, 30, 31]
    drafts = Drafts([*text, 99, 1, 2, 3])
    assert drafts.next(1) == [10]
    drafts.judge(1, 1)
    drafts.extend([10, 11])
    drafts.extend([1, 2, 3])
    assert drafts.next(1) == [20]

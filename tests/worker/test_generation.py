"""Runs in this process: what they compute, and how soon they end."""

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_models import script_tail  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from tests.worker.conftest import SCRIPT  # noqa: E402
from transformers_ls_worker import wire  # noqa: E402
from transformers_ls_worker.device import Placement, choose_placement  # noqa: E402
from transformers_ls_worker.failures import RunAborted, RunError, explain  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


def run(models, folder, prompt, *, aborted=lambda: False, **options):
    sent = []
    request = wire.Generate("r", str(folder), prompt, **options)
    done = generate(request, models, CPU, sent.append, AloneTurn(aborted))
    return "".join(frame.text for frame in sent if isinstance(frame, wire.Delta)), done, sent


def reference(folder, prompt, **options):
    """The continuation that transformers itself gives."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**inputs, **options)[0]
    start = len(tokenizer.decode(inputs.input_ids[0], skip_special_tokens=True))
    count = len(ids) - inputs.input_ids.shape[1]
    return tokenizer.decode(ids, skip_special_tokens=True)[start:], count


@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("prompt", ["The quick brown", "日本語 🙂", "x"])
def test_greedy_equals_transformers(name, prompt, models, request):
    folder = request.getfixturevalue(name)
    text, done, _ = run(models, folder, prompt, max_new_tokens=40)
    expected, count = reference(folder, prompt, max_new_tokens=40, do_sample=False)
    assert (text, done.completion_tokens) == (expected, count)
    assert done.finish_reason == "length"


def test_sampling_is_reproducible(models, llama):
    options = {"max_new_tokens": 20, "temperature": 1.0}
    first, done, _ = run(models, llama, "The", seed=11, **options)
    again, *_ = run(models, llama, "The", seed=11, **options)
    other, *_ = run(models, llama, "The", seed=12, **options)
    assert first == again != other
    assert done.seed == 11
    torch.manual_seed(11)
    expected, _ = reference(llama, "The", max_new_tokens=20, do_sample=True, temperature=1.0)
    assert first == expected
    drawn, done, _ = run(models, llama, "The", **options)
    repeated, *_ = run(models, llama, "The", seed=done.seed, **options)
    assert drawn == repeated


def test_a_known_text_is_streamed_and_ends(models, reciter):
    text, done, sent = run(models, reciter, "zero", max_new_tokens=200)
    assert text == script_tail(reciter, SCRIPT, "zero")
    assert text.endswith("日本 🙂!")
    assert done.finish_reason == "eos"
    deltas = [frame for frame in sent if isinstance(frame, wire.Delta)]
    assert len(deltas) > 20
    assert all("\N{REPLACEMENT CHARACTER}" not in delta.text for delta in deltas)
    assert 0 < done.time_to_first_token <= done.seconds


@pytest.mark.parametrize("stop", [" nine", "ine te", "n eleven tw", "日本", "🙂", "z"])
def test_stop_strings_across_tokens(stop, models, reciter):
    whole = script_tail(reciter, SCRIPT, "zero")
    text, done, _ = run(models, reciter, "zero", max_new_tokens=200, stop=(stop, "not there"))
    if stop in whole:
        assert text == whole[: whole.index(stop)]
        assert done.finish_reason == "stop"
        full, *_ = run(models, reciter, "zero", max_new_tokens=200)
        assert full == whole
    else:
        assert (text, done.finish_reason) == (whole, "eos")


@pytest.mark.parametrize("after", [1, 3, 10])
def test_an_abort_ends_the_compute_within_a_step(after, models, llama):
    """The model is not called again, not even for a part of a step, once the abort is there."""
    models.get(llama, lambda *_: None, AloneTurn())
    tokens = 0
    layers_after_abort = []

    def send(frame):
        nonlocal tokens
        tokens = frame.tokens if isinstance(frame, wire.Delta) else tokens

    def aborted():
        if tokens >= after:
            layers_after_abort.append(tokens)
        return tokens >= after

    request = wire.Generate("r", str(llama), "The quick brown fox", max_new_tokens=5000)
    done = generate(request, models, CPU, send, AloneTurn(aborted))
    assert done.finish_reason == "abort"
    assert done.completion_tokens <= tokens + 1
    assert len(layers_after_abort) == 1


def test_an_abort_is_heard_in_the_prefill(models, llama):
    """Between the layers of the first step: none of them computes after it."""
    loaded, _ = models.get(llama, lambda *_: None, AloneTurn())
    ran = []
    hooks = [
        layer.register_forward_hook(lambda *_, i=i: ran.append(i))
        for i, layer in enumerate(loaded.model.model.layers)
    ]
    try:
        text, done, _ = run(models, llama, "The quick", max_new_tokens=9, aborted=lambda: bool(ran))
    finally:
        for hook in hooks:
            hook.remove()
    assert (text, done.finish_reason, done.completion_tokens) == ("", "abort", 0)
    assert ran == [0]
    assert done.time_to_first_token is None


def test_an_abort_is_heard_while_loading(llama):
    fresh = Models(CPU)
    told = []
    with pytest.raises(RunAborted):
        fresh.get(llama, lambda *bytes_: told.append(bytes_), AloneTurn(lambda: bool(told)))
    assert told == [(0, told[0][1])]
    loaded, seconds = fresh.get(llama, lambda *_: None, AloneTurn())
    assert loaded.window == 100_000
    assert seconds > 0


def test_a_prompt_that_does_not_fit_is_refused_before_computing(models, gpt2):
    text = "word " * 400
    with pytest.raises(RunError) as raised:
        run(models, gpt2, text, max_new_tokens=5)
    assert raised.value.code == "prompt-too-long"
    assert "256" in raised.value.message
    assert "word" not in raised.value.message.replace("words", "")


def test_the_answer_ends_with_the_window(models, reciter):
    _, done, _ = run(models, reciter, "a" * 100, max_new_tokens=1000)
    assert done.prompt_tokens + done.completion_tokens <= 128


def test_special_tokens_only_when_asked(models, llama):
    prompt = "<|start|>user: Hi<|end|>"
    _, plain, _ = run(models, llama, prompt, max_new_tokens=1, add_special_tokens=False)
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(llama)(prompt, add_special_tokens=False).input_ids
    assert plain.prompt_tokens == len(ids)
    assert ids[0] == 1


def test_an_empty_prompt_starts_at_the_beginning(models, llama):
    _, done, _ = run(models, llama, "", max_new_tokens=3)
    assert (done.prompt_tokens, done.completion_tokens) == (1, 3)


def copy_model(source, target):
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_pickles_are_refused(models, pickled):
    with pytest.raises(RunError) as raised:
        run(models, pickled, "x")
    assert raised.value.code == "weights-refused"
    assert not (pickled / "executed").exists()


def test_broken_weights(models, llama, tmp_path):
    folder = copy_model(llama, tmp_path / "broken")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(RunError) as raised:
        run(models, folder, "x")
    assert raised.value.code == "model-broken"
    assert raised.value.hint


def test_missing_weights_are_not_invented(models, llama, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = copy_model(llama, tmp_path / "partial")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RunError) as raised:
        run(models, folder, "x")
    assert raised.value.code == "model-broken"
    assert "up_proj" in raised.value.message


def test_remote_code_is_refused(models, llama, tmp_path):
    import json

    folder = copy_model(llama, tmp_path / "remote")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "homemade",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(folder / 'executed')!r}, 'w')")
    with pytest.raises(RunError) as raised:
        run(models, folder, "x")
    assert raised.value.code in {"weights-refused", "model-broken"}
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("files", [[], ["tokenizer.json"], ["tokenizer.json", "config.json"]])
def test_a_folder_without_weights(files, models, llama, tmp_path):
    for name in files:
        (tmp_path / name).write_bytes((llama / name).read_bytes())
    with pytest.raises(RunError) as raised:
        run(models, tmp_path, "x")
    assert raised.value.code == "model-not-found"


def test_placement_by_name():
    placement = choose_placement("cpu", "float16")
    assert (str(placement.device), placement.dtype_name) == ("cpu", "float16")
    assert choose_placement("cpu").dtype in {torch.float32, torch.bfloat16}


def test_errors_are_explained():
    assert explain(MemoryError()).code == "out-of-memory"
    assert explain(torch.OutOfMemoryError("CUDA out of memory")).code == "out-of-memory"
    told = explain(ValueError("first\nsecond"))
    assert told.code == "internal"
    assert "second" not in told.message

"""Prompts that begin as earlier ones did: the same answers, without computing it again."""

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_families import DECODERS, build  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from transformers_ls_worker import prefixes, wire  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.generation import generate  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402
from transformers_ls_worker.prefixes import Prefixes, keeps_each_token  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
HEAD = "Answer in one word. The quick brown fox: "


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    """Prompts of the tests have some dozens of tokens; the sliding windows of their models 8."""
    monkeypatch.setattr(prefixes, "_ENDS", (8, 20))
    monkeypatch.setattr(prefixes, "_SHARED_ENDS", (4, 8, 20))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    made = {}

    def folder(family):
        if family not in made:
            made[family] = build(family, root / family)
        return made[family]

    return folder


def texts(models, folder, *prompts, **options):
    """Return the rows' texts and the end of the run."""
    sent = []
    request = wire.Generate("r", str(folder), prompts[0], others=prompts[1:], **options)
    done = generate(request, models, CPU, sent.append, AloneTurn())
    rows = [""] * len(prompts)
    for frame in sent:
        if isinstance(frame, wire.Delta):
            rows[frame.row] += frame.text
    return rows, done


def direct(folder, prompt, count):
    """What transformers itself writes."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

    kind = AutoModelForImageTextToText if "seeing" in folder.name else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**inputs, max_new_tokens=count, do_sample=False, pad_token_id=0)[0]
    start = len(tokenizer.decode(inputs.input_ids[0], skip_special_tokens=True))
    return tokenizer.decode(ids, skip_special_tokens=True)[start:]


@pytest.mark.parametrize("family", DECODERS)
def test_answers_are_those_without_reuse(family, folders):
    models, folder = Models(CPU), folders(family)
    prompts = [HEAD + "red, green, blue and yellow", HEAD + "one, two", HEAD + "red, green, blue!"]
    expected = [direct(folder, prompt, 20) for prompt in prompts]
    reused = []
    for prompt, text in zip(prompts, expected, strict=True):
        rows, done = texts(models, folder, prompt, max_new_tokens=20)
        assert rows == [text]
        reused.append(done.reused_tokens)
    assert reused[0] == 0
    assert reused[1] >= 20
    again, done = texts(models, folder, prompts[0], max_new_tokens=20)
    assert again == [expected[0]]
    # All but the last part, of which at least one token has to be computed.
    assert done.reused_tokens == (done.prompt_tokens - 1) // 20 * 20


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "mistral", "opt"])
def test_a_batch_computes_its_beginning_once(family, folders):
    models, folder = Models(CPU), folders(family)
    prompts = [HEAD + "x", HEAD + "a longer one", HEAD + "日本 🙂"]
    expected = [direct(folder, prompt, 12) for prompt in prompts]
    rows, done = texts(models, folder, *prompts, max_new_tokens=12)
    assert rows == expected
    assert done.reused_tokens > 0
    again, later = texts(models, folder, *prompts, max_new_tokens=12)
    assert again == expected
    assert later.reused_tokens > done.reused_tokens


def states(cache):
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_what_is_reused_is_bit_for_bit_what_would_be_computed(family, folders):
    """In bfloat16 too, whatever was asked before: equal input gives equal output."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folders(family), dtype=torch.bfloat16).eval()
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(2, 300, (75,), generator=generator).tolist()
    warm = Prefixes()
    with torch.inference_mode():
        for earlier in (ids[:25] + [7] * 30, ids[:50], [9] * 40):
            warm.begin(model, [earlier])
        reused = warm.begin(model, [ids])
        fresh = Prefixes().begin(model, [ids])
    assert (reused.reused_tokens, fresh.reused_tokens) == (40, 0)
    assert reused.cache.get_seq_length() == fresh.cache.get_seq_length() == 60
    for ours, theirs in zip(states(reused.cache), states(fresh.cache), strict=True):
        assert torch.equal(ours, theirs)


def test_memory_is_bounded_and_the_least_recently_used_leave(folders):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folders("llama"), dtype=torch.float32).eval()
    token_bytes = 2 * 2 * 2 * 16 * 4  # Layers, keys and values, heads, their size, float32.
    bounded = Prefixes(limit=45 * token_bytes)

    def begin(first):
        with torch.inference_mode():
            return bounded.begin(model, [[first] * 25]).reused_tokens

    assert [begin(3), begin(4)] == [0, 0]
    assert bounded.bytes == 40 * token_bytes
    assert begin(3) == 20
    assert begin(5) == 0  # For which 4 leaves, from its end on.
    assert bounded.bytes <= 45 * token_bytes
    assert [begin(3), begin(4)] == [20, 0]
    bounded.clear()
    assert bounded.bytes == 0
    assert begin(3) == 0


def test_a_prompt_too_large_to_keep_is_still_answered(folders, monkeypatch):
    models, folder = Models(CPU), folders("llama")
    loaded, _ = models.get(folder, lambda *_: None, AloneTurn())
    monkeypatch.setattr(loaded.prefixes, "_limit", 1)
    prompt = HEAD + "red"
    for _ in range(2):
        rows, done = texts(models, folder, prompt, max_new_tokens=8)
        assert rows == [direct(folder, prompt, 8)]
        assert done.reused_tokens == 0
    assert loaded.prefixes.bytes == 0


def test_a_lack_of_memory_forgets_prefixes(folders, monkeypatch):
    models, folder = Models(CPU), folders("llama")
    loaded, _ = models.get(folder, lambda *_: None, AloneTurn())
    prompts = [HEAD + "x", HEAD + "y"]
    expected, _ = texts(models, folder, *prompts, max_new_tokens=6)
    assert loaded.prefixes.bytes > 0
    forward = loaded.model.forward

    def crowded(*args, **kwargs):
        if kwargs["input_ids"].shape[0] > 1:
            raise torch.OutOfMemoryError("no more")
        return forward(*args, **kwargs)

    cleared = []
    clear = Prefixes.clear
    monkeypatch.setattr(Prefixes, "clear", lambda self: cleared.append(clear(self)))
    monkeypatch.setattr(loaded.model, "forward", crowded)
    rows, _ = texts(models, folder, *prompts, max_new_tokens=6)
    assert rows == expected
    assert cleared


def test_an_abort_is_heard_while_the_beginning_is_computed(folders):
    models, folder = Models(CPU), folders("llama")
    loaded, _ = models.get(folder, lambda *_: None, AloneTurn())
    ran = []
    hook = loaded.model.model.layers[0].register_forward_hook(lambda *_: ran.append(1))
    request = wire.Generate("r", str(folder), HEAD * 3, max_new_tokens=9)
    try:
        done = generate(request, models, CPU, lambda _: None, AloneTurn(lambda: bool(ran)))
    finally:
        hook.remove()
    assert (done.finish_reason, done.completion_tokens, len(ran)) == ("abort", 0, 1)


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_keys_that_depend_on_the_length_are_not_reused(kind):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=32, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=4, max_position_embeddings=64,
    )  # fmt: skip
    assert keeps_each_token(LlamaForCausalLM(config))
    config.rope_parameters = {**config.rope_parameters, "rope_type": kind}
    model = torch.nn.Module()
    model.config, model._supports_default_dynamic_cache = config, lambda: True
    assert not keeps_each_token(model)


def test_recurrent_states_are_not_reused():
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, state_size=4)
    assert not keeps_each_token(MambaForCausalLM(config))

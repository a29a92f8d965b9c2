"""Packed linear layers: the same products, and models that still work."""

import platform

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_families import build  # noqa: E402
from transformers_ls_worker.packing import PackedLinear, pack  # noqa: E402

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or platform.machine() not in ("x86_64", "AMD64"),
    reason="no oneDNN for this processor",
)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_a_packed_layer_multiplies_as_a_linear_one(bias, rows):
    torch.manual_seed(3)
    linear = torch.nn.Linear(192, 160, bias=bias)
    states = torch.randn(2, rows, 192)
    with torch.inference_mode():
        expected = linear(states)
        got = PackedLinear(linear)(states)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_bfloat16_is_as_exact_as_without():
    """Both round the exact product once; neither is further from it."""
    torch.manual_seed(4)
    linear = torch.nn.Linear(576, 1536, bias=False)
    states = torch.randn(5, 576)
    rounded = torch.nn.Linear(576, 1536, bias=False).to(torch.bfloat16)
    rounded.load_state_dict(linear.state_dict())
    with torch.inference_mode():
        exact = states.bfloat16().double() @ rounded.weight.double().T
        plain = (rounded(states.bfloat16()).double() - exact).abs().mean()
        packed = (PackedLinear(rounded)(states.bfloat16()).double() - exact).abs().mean()
    assert packed <= 1.01 * plain


def test_small_quantized_and_adapted_layers_stay():
    class Quantized(torch.nn.Linear):
        """Its weight means something else."""

    model = torch.nn.ModuleDict(
        {
            "large": torch.nn.Sequential(torch.nn.Linear(256, 256)),
            "small": torch.nn.Sequential(torch.nn.Linear(8, 8)),
            "quantized": torch.nn.Sequential(Quantized(256, 256)),
            "float16": torch.nn.Sequential(torch.nn.Linear(256, 256).half()),
            "adapter": torch.nn.Linear(256, 256),
        }
    )
    assert pack(model) == 1
    assert isinstance(model["large"][0], PackedLinear)
    assert model["large"][0].weight.dtype == torch.float32


def tokens(model, ids):
    with torch.inference_mode():
        return model.generate(torch.tensor([ids]), max_new_tokens=24, do_sample=False).tolist()


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "bart", "t5"])
def test_a_packed_model_writes_the_same(family, tmp_path, monkeypatch):
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    monkeypatch.setattr("transformers_ls_worker.packing._SMALLEST", 1)
    folder = build(family, tmp_path / family)
    encodes = AutoConfig.from_pretrained(folder).is_encoder_decoder
    kind = AutoModelForSeq2SeqLM if encodes else AutoModelForCausalLM
    model = kind.from_pretrained(folder, dtype=torch.float32).eval()
    ids = [5, 17, 40, 41, 99, 3]
    expected = tokens(model, ids)
    assert pack(model) > 0
    assert tokens(model, ids) == expected

"""What is said to fit is what the formula gives, and never more for less memory."""

import json

import pytest

from transformers_ls.engines.fit import (
    BITS,
    WINDOW,
    cache_bytes_per_token,
    fits,
    parameters_that_fit,
)

GIB = 2**30


@pytest.mark.parametrize(
    ("free", "bits", "least", "most"),
    [
        # 8.2e9 x 2 bytes = 15.3 GiB, of 24 GiB a 3090 has some 23 free.
        (23 * GIB, 16.0, 8.2e9, 11.2e9),
        (79 * GIB, 16.0, 32e9, 39e9),
        (79 * GIB, 4.5, 100e9, 140e9),
        (2 * GIB, 32.0, 0.3e9, 0.5e9),
        (0, 16.0, 0, 0),
    ],
)
def test_parameters_that_fit(free, bits, least, most):
    assert least <= parameters_that_fit(free, 0.9, bits) <= most


def test_more_memory_or_fewer_bits_never_fit_less():
    sizes = [parameters_that_fit(gib * GIB // 4, 0.75, 16.0) for gib in range(600)]
    assert sizes == sorted(sizes)
    by_bits = [parameters_that_fit(16 * GIB, 0.75, bits) for bits in sorted(BITS.values())]
    assert by_bits == sorted(by_bits, reverse=True)


def test_what_fits_leaves_room_for_the_window():
    """A tight card: the weights alone would fit twice as large."""
    free = 2 * GIB
    found = parameters_that_fit(free, 0.9, 16.0)
    assert found * 2 + WINDOW * 28 * 8 * 128 * 2 * 2 <= free


def test_the_cache_of_a_token(tmp_path):
    def of(**config):
        (tmp_path / "config.json").write_text(json.dumps(config))
        return cache_bytes_per_token(tmp_path, 2)

    llama = {
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "hidden_size": 4096,
        "num_key_value_heads": 8,
    }
    assert of(**llama) == 131_072  # Llama 3.1 8B: 128 KiB.
    assert of(text_config=llama, model_type="llava") == 131_072
    assert of(**llama | {"head_dim": 64}) == 65_536
    assert of(n_layer=12, n_head=12, n_embd=768) == 36_864  # GPT-2.
    assert of(model_type="nothing") is None
    (tmp_path / "config.json").write_text("[")
    assert cache_bytes_per_token(tmp_path, 2) is None


def test_a_model_fits_with_its_own_window_if_that_is_shorter():
    assert fits(8 * GIB, 2**20, None, 16 * GIB, 0.75)
    assert not fits(8 * GIB, 2**20, None, 15 * GIB, 0.75)
    assert fits(8 * GIB, 2**20, 2048, 15 * GIB, 0.75)
    assert not fits(13 * GIB, None, 10, 16 * GIB, 0.75)

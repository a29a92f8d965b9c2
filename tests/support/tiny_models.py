"""Models small enough to make in a second, whose behaviour a test can know beforehand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIALS = ("<|end|>", "<|start|>")
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "Größe, naïve café, 日本語の文章, and 🙂 faces.",
    "def main() -> None: print('hello world')",
]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}: {{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant:{% endif %}"
)


def save_tokenizer(folder: Path, *, vocabulary: int = 320) -> int:
    """Write a byte-level tokenizer, which can spell any text; return the size of its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, special=True) for token in SPECIALS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=SPECIALS[0], bos_token=SPECIALS[1]
    )
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return len(tokenizer)


def save_model(
    folder: Path, architecture: str, *, vocab_size: int = 0, seed: int = 7, **config: Any
) -> None:
    """Write a model of random weights, with the byte-level tokenizer where there is none."""
    import torch
    import transformers

    torch.manual_seed(seed)
    model_class = getattr(transformers, architecture)
    settings = model_class.config_class(vocab_size=vocab_size or save_tokenizer(folder), **config)
    model_class(settings).save_pretrained(folder)


def random_llama(folder: Path, *, window: int = 100_000, layers: int = 2) -> Path:
    """Write a Llama of random weights: it babbles bytes, reproducibly, and never ends by itself."""
    save_model(
        folder,
        "LlamaForCausalLM",
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=window,
        # Far apart logits, so that equal computations never differ in a rounding's last bit.
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    return folder


def random_gpt2(folder: Path) -> Path:
    """Write a GPT-2 of random weights."""
    save_model(
        folder,
        "GPT2LMHeadModel",
        seed=8,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=256,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    return folder


def reciter(folder: Path, script: str, *, positions: int = 128) -> Path:
    """Write a model that recites a text: whatever the prompt, its n-th token is the script's.

    A GPT-2 whose layer does nothing, so that the next token depends on the position alone. After
    the script comes the end token. Tokens of the prompt count: a prompt of three tokens is answered
    from the script's third token on.
    """
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    size = save_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(script, add_special_tokens=False).input_ids
    assert len(ids) < positions
    config = GPT2Config(
        vocab_size=size,
        n_embd=positions,
        n_layer=1,
        n_head=1,
        n_positions=positions,
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.transformer.wpe.weight.copy_(torch.eye(positions))
        model.transformer.ln_f.weight.fill_(1.0)
        for position in range(positions):
            token = ids[position + 1] if position + 1 < len(ids) else 0
            model.lm_head.weight[token, position] = 1.0
    model.save_pretrained(folder)
    return folder


def script_tail(folder: Path, script: str, prompt: str) -> str:
    """Return what the reciter answers to a prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    skipped = len(tokenizer(prompt, add_special_tokens=False).input_ids)
    ids = tokenizer(script, add_special_tokens=False).input_ids
    return str(tokenizer.decode(ids[skipped:]))


def pickled(folder: Path, source: Path) -> Path:
    """Write a model whose weights are a pickle that would run code."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    proof = json.dumps(str(folder / "executed"))
    (folder / "pytorch_model.bin").write_bytes(
        f"cbuiltins\nexec\n(S'open({proof}, \"w\")'\ntR.".encode()
    )
    return folder

"""A model of each family that writes: of random weights, made in a second.

`build(FAMILY, folder)` writes one. Their logits lie far apart, so that equal computations never
differ in a rounding's last bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.tiny_models import TEXT, save_model, save_tokenizer

_DECODER: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.5,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
}
_GEMMA = {
    "head_dim": 16,
    # Of each kind of attention one layer; the window is shorter than the tests' prompts.
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 8,
    "query_pre_attn_scalar": 16,
}
_GPT2 = {
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 256,
    "initializer_range": 0.5,
    "bos_token_id": 1,
    "eos_token_id": None,
    "pad_token_id": 0,
}
_BART: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 256,
    "init_std": 0.5,
    "dropout": 0.0,
    "forced_eos_token_id": None,
    # A model that reads what it writes by the same numbers repeats itself.
    "tie_word_embeddings": False,
}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.0,
    "initializer_factor": 4.0,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "decoder_start_token_id": 0,
    "n_positions": 512,
    # One whose answers vary, as few with these sizes do.
    "seed": 18,
}


def build(family: str, folder: Path) -> Path:
    """Write the model of a family into a folder, which is made."""
    folder.mkdir()
    (DECODERS | ENCODER_DECODERS)[family](folder)
    return folder


def _seeing(folder: Path) -> None:
    """A Gemma that sees pictures too."""
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(7)
    text = {"vocab_size": save_tokenizer(folder), **_DECODER, **_GEMMA}
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=1,
        tie_word_embeddings=False,
        eos_token_id=None,
        initializer_range=0.5,
    )
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)


def _marian(folder: Path) -> None:
    """A Marian of two target languages, with sentencepiece tokenizers."""
    import sentencepiece

    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(TEXT * 4), encoding="utf-8")
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(folder / side),
            vocab_size=110,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
    corpus.unlink()
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [model.id_to_piece(number) for number in range(len(model))]
    words = dict.fromkeys(["</s>", "<unk>", *pieces, ">>fra<<", ">>deu<<", "<pad>"])
    vocabulary = {piece: number for number, piece in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "mul"}
        )
    )
    padding = vocabulary["<pad>"]
    save_model(
        folder,
        "MarianMTModel",
        vocab_size=len(vocabulary),
        eos_token_id=0,
        bos_token_id=0,
        pad_token_id=padding,
        decoder_start_token_id=padding,
        seed=19,
        **_BART,
    )


def _nllb(folder: Path) -> None:
    """An M2M100 model with NLLB's tokenizer and its codes of languages."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import NllbTokenizer

    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=160,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        show_progress=False,
    )
    backend.train_from_iterator(TEXT, trainer)
    model = json.loads(backend.to_str())["model"]
    tokenizer = NllbTokenizer(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]])
    tokenizer.save_pretrained(folder)
    save_model(
        folder,
        "M2M100ForConditionalGeneration",
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **{name: value for name, value in _BART.items() if name != "forced_eos_token_id"},
    )


def _mbart(folder: Path) -> None:
    """An mBART-50, whose answers begin with the code of their language."""
    from transformers import MBart50Tokenizer

    letters = dict.fromkeys("▁" + "".join(TEXT).replace(" ", ""))
    specials = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
    tokenizer = MBart50Tokenizer(vocab=[*specials, *((letter, -3.0) for letter in letters)])
    tokenizer.save_pretrained(folder)
    save_model(
        folder,
        "MBartForConditionalGeneration",
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **_BART,
    )


def _decoder(architecture: str, **config: Any) -> Callable[[Path], None]:
    return partial(save_model, architecture=architecture, **{**_DECODER, **config})


DECODERS: dict[str, Callable[[Path], None]] = {
    "llama": _decoder("LlamaForCausalLM"),
    "llama-without-padding": _decoder("LlamaForCausalLM", pad_token_id=None),
    "qwen2": _decoder("Qwen2ForCausalLM", tie_word_embeddings=True),
    "qwen3": _decoder("Qwen3ForCausalLM", head_dim=16),
    "mistral": _decoder("MistralForCausalLM", sliding_window=8),
    "mixtral": _decoder("MixtralForCausalLM", num_local_experts=4, num_experts_per_tok=2),
    "phi": _decoder("PhiForCausalLM", partial_rotary_factor=0.5),
    "gemma2": _decoder("Gemma2ForCausalLM", final_logit_softcapping=None, **_GEMMA),
    "gemma3": _decoder("Gemma3ForCausalLM", **_GEMMA),
    "gemma3-seeing": _seeing,
    "gpt2": partial(save_model, architecture="GPT2LMHeadModel", **_GPT2),
    "opt": partial(
        save_model,
        architecture="OPTForCausalLM",
        **{**_DECODER, "word_embed_proj_dim": 64, "ffn_dim": 64, "init_std": 0.5},
    ),
}
ENCODER_DECODERS: dict[str, Callable[[Path], None]] = {
    "bart": partial(
        save_model,
        architecture="BartForConditionalGeneration",
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=0,
        decoder_start_token_id=1,
        **_BART,
    ),
    "pegasus": partial(
        save_model,
        architecture="PegasusForConditionalGeneration",
        seed=12,
        eos_token_id=0,
        pad_token_id=0,
        decoder_start_token_id=0,
        **_BART,
    ),
    "t5": partial(save_model, architecture="T5ForConditionalGeneration", **_T5),
    "flan-t5": partial(
        save_model,
        architecture="T5ForConditionalGeneration",
        **{**_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "marian": _marian,
    "nllb": _nllb,
    "mbart": _mbart,
}

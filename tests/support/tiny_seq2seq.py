"""Encoder-decoders small enough to make in a second, of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.tiny_models import TEXT, save_tokenizer

SIZES: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 256,
    # Far apart logits, so that equal computations never differ in a rounding's last bit.
    "init_std": 0.5,
    "dropout": 0.0,
}


def bart(folder: Path) -> Path:
    """Write a BART, which ends its answers by itself now and then."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(3)
    config = BartConfig(
        vocab_size=save_tokenizer(folder),
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=0,
        decoder_start_token_id=1,
        forced_eos_token_id=None,
        **SIZES,
    )
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


def t5(folder: Path) -> Path:
    """Write a T5, with the prefixes of the real ones in its config."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(4)
    config = T5Config(
        vocab_size=save_tokenizer(folder),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        dropout_rate=0.0,
        initializer_factor=4.0,
        eos_token_id=0,
        pad_token_id=0,
        decoder_start_token_id=0,
        n_positions=512,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


def marian(folder: Path) -> Path:
    """Write a Marian of two target languages, with sentencepiece tokenizers."""
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(5)
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
    config = MarianConfig(
        vocab_size=len(vocabulary),
        eos_token_id=0,
        bos_token_id=0,
        pad_token_id=padding,
        decoder_start_token_id=padding,
        forced_eos_token_id=None,
        **SIZES,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """Write an M2M100 model with NLLB's tokenizer and its codes of languages."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    torch.manual_seed(6)
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
    config = M2M100Config(
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **SIZES,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder

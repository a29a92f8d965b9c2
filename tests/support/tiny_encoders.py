"""Encoders small enough to make in a second, of random weights, with the tokenizers of real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.tiny_models import TEXT

SENTENCES = [
    *TEXT,
    "Angela Merkel met Emmanuel Macron in Zürich, near the Café de la Paix.",
    "東京の山田さんは 2024 年に大阪で会った。 The capital of France is Paris.",
    "A positive, a neutral and a negative example: it was good, it was bad.",
]
ENTITIES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
WINDOW = 128

_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    # Far apart logits, so that equal computations never differ in which label is the best.
    "initializer_range": 0.2,
}


def word_pieces(folder: Path, *, lowercase: bool = True) -> Any:
    """Write BERT's tokenizer: words in pieces, in small letters without accents."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import BertTokenizer

    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=180, special_tokens=_SPECIALS, show_progress=False
    )
    backend.train_from_iterator(SENTENCES, trainer)
    tokenizer = BertTokenizer(
        vocab=backend.get_vocab(), do_lower_case=lowercase, model_max_length=WINDOW
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def bytes_of_words(folder: Path) -> Any:
    """Write RoBERTa's tokenizer: the bytes of words in pieces, so that a sign may be several."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import RobertaTokenizer

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    model = json.loads(backend.to_str())["model"]
    tokenizer = RobertaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],
        model_max_length=WINDOW,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def pieces_of_sentences(folder: Path) -> Any:
    """Write DeBERTa's tokenizer: pieces of sentences that begin with their white space."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import DebertaV2Tokenizer

    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=180,
        special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
        unk_token="[UNK]",
        show_progress=False,
    )
    backend.train_from_iterator(SENTENCES, trainer)
    model = json.loads(backend.to_str())["model"]
    vocabulary = [(piece, score) for piece, score in model["vocab"]]
    tokenizer = DebertaV2Tokenizer(
        vocab=vocabulary, unk_id=model["unk_id"], model_max_length=WINDOW
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


FAMILIES: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {
    "bert": ("Bert", word_pieces, {"max_position_embeddings": WINDOW, **_SIZES}),
    "distilbert": (
        "DistilBert",
        word_pieces,
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 64,
            "initializer_range": 0.2,
            "max_position_embeddings": WINDOW,
        },
    ),
    # Its positions begin behind that of the padding, so that two of them are never used.
    "roberta": (
        "Roberta",
        bytes_of_words,
        {"max_position_embeddings": WINDOW + 2, "type_vocab_size": 1, **_SIZES},
    ),
    "deberta": (
        "DebertaV2",
        pieces_of_sentences,
        {
            "max_position_embeddings": WINDOW,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "type_vocab_size": 0,
            **_SIZES,
        },
    ),
}


def encoder(folder: Path, family: str, head: str, **config: Any) -> Path:
    """Write a model of a family with a head (`ForTokenClassification`, `Model` …)."""
    import torch
    import transformers

    name, tokens, sizes = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokens(folder)
    torch.manual_seed(11)
    made = getattr(transformers, f"{name}Config")(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **{**sizes, **config},
    )
    getattr(transformers, f"{name}{head}")(made).save_pretrained(folder)
    return folder


def names(*labels: str) -> dict[str, Any]:
    """Return the part of a config that names labels."""
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: number for number, label in enumerate(labels)},
    }

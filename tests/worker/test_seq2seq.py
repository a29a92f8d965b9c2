"""Encoder-decoders are told the languages in their own codes, and their batches go on in halves."""

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_families import build  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from tests.worker.test_batches import run  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.failures import RunError  # noqa: E402
from transformers_ls_worker.languages import choose_languages  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
TEXTS = ("The quick brown fox.", "A lazy dog jumps over the quick brown fox and over a dog.", "x")
# Marian's tokenizer asks for a package that only changes odd punctuation.
pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


@pytest.fixture(scope="module")
def folders(models_root):
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = build(kind, models_root / f"tiny-{kind}")
        return made[kind]

    return folder


@pytest.mark.parametrize("kind", ["bart", "nllb"])
def test_a_batch_that_is_too_large_goes_on_in_halves(kind, models, folders, monkeypatch):
    languages = {"source_language": "en", "target_language": "de"}
    options = {"max_new_tokens": 20, **languages}
    expected, *_ = run(models, folders(kind), *TEXTS, **options)
    loaded, _ = models.get(folders(kind), lambda *_: None, AloneTurn())
    forward, steps = loaded.model.forward, 0

    def crowded(*args, **kwargs):
        nonlocal steps
        steps += 1
        if kwargs["decoder_input_ids"].shape[0] > 2 and steps > 4:
            raise torch.OutOfMemoryError("no more")
        return forward(*args, **kwargs)

    monkeypatch.setattr(loaded.model, "forward", crowded)
    answers, *_ = run(models, folders(kind), *TEXTS, **options)
    assert answers == expected
    assert steps > 20


def test_languages_by_any_name(models, folders):
    tokenizer = models.get(folders("nllb"), lambda *_: None, AloneTurn())[0].tokenizer
    french = tokenizer.convert_tokens_to_ids("fra_Latn")
    for name in ("French", "fr", "fra", "fra_Latn", "fr_XX", "fr-FR"):
        chosen = choose_languages(tokenizer, "English", name)
        assert (chosen.source, chosen.first_token) == ("eng_Latn", french)
    chinese = choose_languages(tokenizer, "German", "Chinese")
    assert chinese.source == "deu_Latn"
    assert chinese.first_token == tokenizer.convert_tokens_to_ids("zho_Hans")
    marian = models.get(folders("marian"), lambda *_: None, AloneTurn())[0].tokenizer
    assert choose_languages(marian, "en", "German").prefix == ">>deu<< "
    bart = models.get(folders("bart"), lambda *_: None, AloneTurn())[0].tokenizer
    assert choose_languages(bart, "en", "German") == choose_languages(bart, "", "")


@pytest.mark.parametrize("language", ["Klingon", "not a language", "xx"])
def test_an_unknown_language_says_what_is_known(language, models, folders):
    tokenizer = models.get(folders("marian"), lambda *_: None, AloneTurn())[0].tokenizer
    with pytest.raises(RunError, match="does not know the language") as caught:
        choose_languages(tokenizer, "en", language)
    assert "deu, fra" in caught.value.hint


def test_a_text_longer_than_the_encoder_is_refused(models, folders):
    with pytest.raises(RunError, match="the model takes 256"):
        run(models, folders("bart"), "word " * 2000, max_new_tokens=4)


def test_a_summary_needs_no_language(models, folders):
    (answer,), _, _ = run(models, folders("bart"), "The quick brown fox.", max_new_tokens=10)
    assert answer

"""Every family of models answers as transformers does: token for token, alone and in a batch."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="the worker's packages are not installed")

from tests.support.tiny_families import DECODERS, ENCODER_DECODERS, build  # noqa: E402
from tests.support.turns import AloneTurn  # noqa: E402
from tests.worker.test_batches import run  # noqa: E402
from transformers_ls_worker.device import Placement  # noqa: E402
from transformers_ls_worker.models import Models  # noqa: E402

CPU = Placement(torch.device("cpu"), torch.float32)
FAMILIES = [*DECODERS, *ENCODER_DECODERS]
# The first is longer than the sliding windows, the second far shorter than the rest of its batch.
TEXTS = ("A lazy dog jumps over the quick brown fox and over a dog.", "x", "The quick brown fox.")
TOKENS = 24
# Marian's tokenizer asks for a package that only changes odd punctuation.
pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def models():
    return Models(CPU)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    made = {}

    def folder(family):
        if family not in made:
            made[family] = build(family, root / family)
        return made[family]

    return folder


def languages(family):
    """What our run is told, for the families that know languages."""
    if family in ("marian", "nllb", "mbart"):
        return {"source_language": "English", "target_language": "French"}
    return {}


class Reference:
    """What transformers itself answers."""

    def __init__(self, folder, model=None):
        import transformers
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        kind = getattr(transformers, config.architectures[0])
        self.model = model or kind.from_pretrained(folder, dtype=torch.float32)
        self.encodes = config.is_encoder_decoder

    def __call__(self, text, **options):
        """Return the answer and how many tokens it has."""
        prefix = ""
        if self.model.config.model_type == "m2m_100":
            self.tokenizer.src_lang = "eng_Latn"
            options["forced_bos_token_id"] = self.tokenizer.convert_tokens_to_ids("fra_Latn")
        elif self.model.config.model_type == "mbart":
            self.tokenizer.src_lang = "en_XX"
            options["forced_bos_token_id"] = self.tokenizer.convert_tokens_to_ids("fr_XX")
        elif self.model.config.model_type == "marian":
            prefix = ">>fra<< "
        inputs = self.tokenizer(prefix + text, return_tensors="pt", return_token_type_ids=False)
        options = {"max_new_tokens": TOKENS, "num_beams": 1, "do_sample": False} | options
        ids = self.model.generate(**inputs, **options)[0].tolist()
        prompt = inputs.input_ids[0].tolist()
        count = len(ids) - (1 if self.encodes else len(prompt))
        ends = self.model.generation_config.eos_token_id
        if isinstance(ends, list) and ids[-1] in ends:
            ids.pop()  # Its text is no part of an answer, and it is no special token.
        if self.encodes:
            return self.tokenizer.decode(ids[1:], skip_special_tokens=True), count
        start = len(self.tokenizer.decode(prompt, skip_special_tokens=True))
        return self.tokenizer.decode(ids, skip_special_tokens=True)[start:], count


@pytest.fixture(scope="module")
def references(folders):
    made = {}

    def reference(family):
        if family not in made:
            made[family] = Reference(folders(family))
        return made[family]

    return reference


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy(family, models, folders, references):
    expected = [references(family)(text) for text in TEXTS]
    options = {"max_new_tokens": TOKENS, **languages(family)}
    for text, answer in zip(TEXTS, expected, strict=True):
        (ours,), _, done = run(models, folders(family), text, **options)
        assert (ours, done.completion_tokens) == answer
    answers, ends, _ = run(models, folders(family), *TEXTS, **options)
    counts = [ends[row].completion_tokens for row in range(len(TEXTS))]
    assert list(zip(answers, counts, strict=True)) == expected
    # A model that always says the same would prove nothing.
    assert len(set("".join(answers))) > 2


@pytest.mark.parametrize("family", FAMILIES)
def test_sampling(family, models, folders, references):
    options = {"max_new_tokens": TOKENS, "temperature": 1.3, "seed": 11, **languages(family)}
    (ours,), _, done = run(models, folders(family), TEXTS[0], **options)
    torch.manual_seed(11)
    assert references(family)(TEXTS[0], do_sample=True, temperature=1.3) == (
        ours,
        done.completion_tokens,
    )
    greedy, *_ = run(models, folders(family), TEXTS[0], max_new_tokens=TOKENS, **languages(family))
    assert [ours] != greedy


def with_settings(source, target, **settings):
    """Copy a model and change what its generation_config.json says."""
    shutil.copytree(source, target)
    file = target / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return target


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("llama", {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}),
        ("llama", {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 2.0}),
        ("llama", {"repetition_penalty": 1.3}),
        # A padding that is a likely token: it must not count as text that the penalty is for.
        ("llama", {"repetition_penalty": 3.0, "pad_token_id": 251}),
        ("llama", {"no_repeat_ngram_size": 1, "pad_token_id": 251}),
        ("llama", {"no_repeat_ngram_size": 2}),
        ("llama", {"encoder_repetition_penalty": 1.5}),
        ("llama", {"suppress_tokens": list(range(10, 200)), "begin_suppress_tokens": [230, 231]}),
        ("llama", {"bad_words_ids": [[121], [283, 269]]}),
        ("llama", {"min_new_tokens": 5, "eos_token_id": [121, 283]}),
        ("llama", {"pad_token_id": -1}),
        ("llama", {"max_length": 3, "max_new_tokens": 2}),
        ("llama", {"prompt_lookup_num_tokens": 3}),
        ("bart", {"num_beams": 4, "no_repeat_ngram_size": 3, "min_length": 12, "max_length": 20}),
        ("bart", {"forced_bos_token_id": 40, "forced_eos_token_id": 0}),
        ("t5", {"suppress_tokens": list(range(3, 150))}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value,
)
def test_a_models_own_settings(family, settings, models, folders, tmp_path):
    """All that they say of tokens is kept; only the search is ours, greedy where nobody samples."""
    folder = with_settings(folders(family), tmp_path / family, **settings)
    reference = Reference(folder)
    greedy = {"num_return_sequences": 1, "prompt_lookup_num_tokens": None}
    if settings.get("pad_token_id") == -1:
        greedy["pad_token_id"] = 0
    expected = [reference(text, **greedy) for text in TEXTS]
    answers, ends, _ = run(models, folder, *TEXTS, max_new_tokens=TOKENS)
    counts = [ends[row].completion_tokens for row in range(len(TEXTS))]
    assert list(zip(answers, counts, strict=True)) == expected


@pytest.mark.parametrize(
    "settings", [{"penalty_alpha": 0.6, "top_k": 4}, {"stop_strings": ["e"]}, {"max_time": 0.0}]
)
def test_a_search_of_another_kind_is_not_ours(settings, models, folders, tmp_path):
    """transformers would fetch code for the first, and end by itself for the others."""
    folder = with_settings(folders("llama"), tmp_path / "llama", **settings)
    ours, *_ = run(models, folder, *TEXTS, max_new_tokens=TOKENS)
    plain, *_ = run(models, folders("llama"), *TEXTS, max_new_tokens=TOKENS)
    assert ours == plain


def test_a_model_that_sees_pictures_writes_of_text_alone(models, folders):
    loaded, _ = models.get(folders("gemma3-seeing"), lambda *_: None, AloneTurn())
    assert type(loaded.model).__name__ == "Gemma3ForConditionalGeneration"
    assert loaded.window == 256

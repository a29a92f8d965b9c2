"""The language codes of multilingual translation models, found from any name of a language.

| family | codes | how the target is asked for |
|---|---|---|
| NLLB-200 | `eng_Latn` (FLORES-200) | first token of the answer |
| mBART-50 | `en_XX` | first token of the answer |
| M2M100 | `__en__` | first token of the answer |
| Marian (many targets) | `>>fra<<` | first token of the text |
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from transformers_ls_worker.failures import RunError

__all__ = ["Languages", "choose_languages"]

_FIRST_TOKENS = re.compile(r"(?:__)?([a-z]{2,3}(?:_[A-Z][A-Za-z]{1,3})?)(?:__)?")
_PREFIXES = re.compile(r">>([a-z]{2,3}(?:_[A-Za-z]{2,4})?)<<")

_FAR = 25
"""langcodes' measure of what people of one language can be given instead; beyond it is a guess."""


@dataclass(frozen=True, slots=True)
class Languages:
    """How a model is told the languages; nothing where it knows only one pair."""

    source: str | None = None
    """What the tokenizer's `src_lang` is set to."""
    first_token: int | None = None
    """The token that every answer begins with."""
    prefix: str = ""
    """What is put before every text."""


def choose_languages(tokenizer: Any, source: str, target: str) -> Languages:
    """Return a tokenizer's codes for two languages.

    Args:
        tokenizer: Of an encoder-decoder model.
        source: A name or code in any common form: `en`, `eng_Latn`, `en_XX`, `English`.
        target: The same; empty when the run is no translation.

    Raises:
        RunError: The model does not know the language.
    """
    tokens = tokenizer.get_vocab()
    prefixes = {match[1]: token for token in tokens if (match := _PREFIXES.fullmatch(token))}
    if prefixes and target:
        return Languages(prefix=f"{prefixes[_closest(target, prefixes)]} ")
    # A model without languages has no such setting; its vocabulary may hold words of that shape.
    if not target or not hasattr(tokenizer, "src_lang"):
        return Languages()
    special = set(tokenizer.all_special_tokens) | set(tokenizer.get_added_vocab())
    codes = {match[1]: token for token in special if (match := _FIRST_TOKENS.fullmatch(token))}
    if not codes:
        return Languages()
    wanted = codes[_closest(target, codes)]
    return Languages(
        source=_closest(source, codes), first_token=tokenizer.convert_tokens_to_ids(wanted)
    )


def _closest(language: str, codes: Iterable[str]) -> str:
    """Return the code for a language, of those that the model has."""
    import langcodes

    # `en_XX` of mBART means no country.
    known = {langcodes.standardize_tag(code.replace("_XX", "")): code for code in codes}
    try:
        found, _ = langcodes.closest_match(_tag(language), list(known), max_distance=_FAR)
    except LookupError:
        found = "und"
    if found in known:
        return known[found]
    raise RunError(
        "language-unknown",
        f"The model does not know the language {language}.",
        f"It knows {len(known)}, among them {', '.join(sorted(known.values())[:12])}.",
    )


def _tag(language: str) -> str:
    """Return the BCP 47 tag of a language's name or code; LookupError when there is none."""
    import langcodes

    with suppress(ValueError):  # A name is no code.
        tag = str(langcodes.standardize_tag(language))
        if langcodes.tag_is_valid(tag):
            return tag
    return langcodes.find(language).to_tag()

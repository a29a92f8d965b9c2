r"""Decides, from its tokenizer.json, where texts may be cut for a pipeline without changing counts.

A tokenizer of the Hugging Face library works in stages: added tokens are found in the text and
split it into sections; each section is normalized, cut into pre-tokens, and each pre-token is
encoded by the model. A cut between the characters `l` and `r` is harmless when in no stage
anything on one side depends on the other. For each stage, in the order of the code below:

**Added tokens** are found leftmost-longest, so the ones left of the cut are the same with and
without the right side if none holds an `l` followed by an `r`. `single_word` looks at both
neighbours: refused. `lstrip` eats white space to its left, and `rstrip` to its right: a cut where
such a token may stand beside the space that it eats is left out (`not_left`, `not_right`).

**Normalizers.** NFC and its siblings change nothing across a character that is a starter and never
composes with what stands before it; `r` is one (`PLAIN`, a space, a line end), whatever `l` is.
Replacing a space, and lower case or accents as BERT does it, look at one character or stay within
the reach of NFD. All others (`Precompiled`, `Strip`, regular expressions) are refused.

**Pre-tokenizers.** All patterns are alternatives tried in order, from the end of the match before,
without look-behind, and with the one look-ahead `\s+(?!\S)`.

- *GPT-2's*: ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`, contractions, `\s+(?!\S)`, `\s+`. A match
  that has a character other than white space ends before the next white space. So there is a
  boundary between plain `l` and a line end `r`. The look-ahead looks at one character behind white
  space; white space left of the cut has `l` behind it, which is on the same side.
- *cl100k's* (Llama 3, Qwen, o200k, DeepSeek V3, Tekken): ` ?[^\s\p{L}\p{N}]+[\r\n]*` takes line ends
  along, so the cut is behind them: `l` is the last line feed of a run of white space, and `r` is
  what follows it up to a plain character. No match reaches over it: `[\r\n]*` ends there, since
  blanks or a plain character follow (`/` is left out, o200k has `[\r\n/]*`); letters and digits take
  at most one character before them, which is no line end; and `\s*[\r\n]+`, which comes before the
  other two for white space, takes a run of white space up to its last line end, which is the cut,
  whether something follows or not.
- *Both*: between a letter and a blank that a letter follows. No alternative goes from a letter to
  a blank, and the blank with its letter is the beginning of a match on both sides of the story.
- Splits that isolate digits, kana and Han before that only make sections, of characters that are no
  white space; within each, the above holds.
- BERT's and white-space splits drop white space, so that any place beside it is a boundary.

**No pre-tokenizer** (Gemma; Llama 2, whose blanks become `▁`). BPE merges neighbours into tokens of
the vocabulary. If no token has a character other than a line feed right before a line feed, no
merge reaches over a cut before a line feed, and merges on one side do not depend on the other. The
same between a letter and `▁`. Llama 2 puts a `▁` before each section; in a part that begins with a
line feed it stays a token of its own (it cannot merge with the line feed), one too many: `correction`.

What passes is checked on the probe texts too (`selfcheck`). What does not is counted whole.
"""

from __future__ import annotations

import re
from typing import Any

from transformers_ls.tokens.cuts import NO_CUTS, CutRule, Place

__all__ = ["cut_rule"]

_Json = dict[str, Any]

# Alternatives that match no white space, or one blank at most and at their beginning.
_WORDS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"'(?i:[sdmt]|ll|ve|re)", r"(?i:[sdmt]|ll|ve|re)",
    "'s", "'t", "'re", "'ve", "'m", "'ll", "'d",
    r" ?\p{L}+", r" ?\p{N}+", r" ?[^\s\p{L}\p{N}]+", r"\p{N}{1,3}", r"\p{N}", r"\p{N}+", r"\d",
}  # fmt: skip
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ONE = r"[^\r\n\p{L}\p{N}]?"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# Those of cl100k and its descendants, which take one character other than a line end, or line ends
# behind them.
_LINE_ENDS = {
    rf"{_ONE}\p{{L}}+", rf"{_ONE}[\p{{L}}\p{{M}}]+",
    rf"{_ONE}{_UPPER}*{_LOWER}+", rf"{_ONE}{_UPPER}+{_LOWER}*",
    rf"{_ONE}{_UPPER}*{_LOWER}+{_ENDING}", rf"{_ONE}{_UPPER}+{_LOWER}*{_ENDING}",
    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+""",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*", r" ?[\p{P}\p{S}]+[\r\n]*",
}  # fmt: skip
_GREEDY = (r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+")
_GPT2_SPACE = (r"\s+(?!\S)", r"\s+")
_SECTIONS = {
    r"\p{N}{1,3}", r"\p{N}", r"[0-9]", r"\d", r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
}  # fmt: skip


def cut_rule(tokenizer: _Json) -> CutRule:
    """Return where texts may be cut for this tokenizer.json; an empty rule when nothing is proven."""
    model = tokenizer["model"]
    prefixed = _normalizer(tokenizer.get("normalizer"))
    if prefixed is None or model.get("dropout"):
        return NO_CUTS
    family = _pre_tokenizer(tokenizer.get("pre_tokenizer"))
    added = tokenizer.get("added_tokens") or []
    if family == "gpt2" and not prefixed:
        return _beside(added, ("word", "before line end"))
    if family == "cl100k" and not prefixed:
        return _beside(added, ("word", "after line end"))
    if family in ("none", "metaspace") and model.get("type") == "BPE":
        prefixed = prefixed or family == "metaspace"
        return _merged(model, added, prefixed=prefixed)
    return NO_CUTS


def _normalizer(value: _Json | None) -> bool | None:
    """Return None for a normalizer that is not known, else whether it puts `▁` before a section."""
    if value is None:
        return False
    match value["type"]:
        case "Sequence":
            parts = [_normalizer(part) for part in value["normalizers"]]
            return None if None in parts else any(parts)
        case "NFC" | "NFD" | "NFKC" | "NFKD" | "BertNormalizer":
            return False
        case "Prepend":
            return True if value["prepend"] == "▁" else None
        case "Replace":
            known = value["pattern"] == {"String": " "} and value["content"] == "▁"
            return False if known else None
    return None


def _pre_tokenizer(value: _Json | None) -> str:
    """Return the family of a pre-tokenizer: gpt2, cl100k, metaspace, none; empty when not known."""
    if value is None:
        return "none"
    stages = value["pretokenizers"] if value["type"] == "Sequence" else [value]
    family = ""
    for stage in stages:
        match stage["type"]:
            case "ByteLevel":
                # The bytes of a pre-token are written as letters; with `use_regex`, cut as GPT-2.
                if stage["add_prefix_space"]:
                    return ""
                found = "gpt2" if stage.get("use_regex", True) else ""
            case "Digits":
                found = ""
            case "BertPreTokenizer" | "WhitespaceSplit" | "Whitespace":
                found = "gpt2"
            case "Metaspace":
                if stage.get("split", True) or stage["replacement"] != "▁":
                    return ""
                found = "none" if stage.get("prepend_scheme") == "never" else "metaspace"
            case "Split":
                known = _split(stage)
                if known is None:
                    return ""
                found = known
            case _:
                return ""
        if found and family:
            return ""
        family = family or found
    return family


def _split(stage: _Json) -> str | None:
    """Return what a Split makes of the family, None when it is not known."""
    pattern = stage["pattern"]
    if pattern == {"String": " "}:
        # Blanks are `▁` by now (Gemma), or a boundary is made at each one: nothing beyond them.
        return "none" if stage["behavior"] == "MergedWithPrevious" else None
    if stage["behavior"] not in ("Isolated", "Removed") or "Regex" not in pattern:
        return None
    # "Removed" with "invert" keeps the matches, which is what "Isolated" gives, since all matches
    # together cover the text.
    if stage.get("invert", False) != (stage["behavior"] == "Removed"):
        return None
    regex = pattern["Regex"]
    if regex in _SECTIONS:
        return "" if stage["behavior"] == "Isolated" else None
    ways = _alternatives(regex)
    space = tuple(way for way in ways if way.startswith(r"\s"))
    others = {way for way in ways if not way.startswith(r"\s")}
    if ways[-len(space) :] != list(space) or not space:
        return None
    if space == _GPT2_SPACE and others <= _WORDS:
        return "gpt2"
    if space == _GREEDY and others <= _WORDS | _LINE_ENDS:
        return "cl100k"
    return None


def _alternatives(regex: str) -> list[str]:
    """Split a regular expression at its outermost `|`."""
    ways, depth, inside, start = [], 0, False, 0
    for match in re.finditer(r"\\.|[\[\]()|]", regex, re.DOTALL):
        sign = match[0]
        if sign == "[":
            inside = True
        elif sign == "]":
            inside = False
        elif not inside and sign in "()":
            depth += 1 if sign == "(" else -1
        elif sign == "|" and not inside and not depth:
            ways.append(regex[start : match.start()])
            start = match.end()
    return [*ways, regex[start:]]


def _beside(added: list[_Json], places: tuple[Place, ...], *, marked: bool = False) -> CutRule:
    """Return the rule with these places as far as the added tokens allow them.

    Args:
        added: The added tokens, as tokenizer.json has them.
        places: Those that the stages behind allow.
        marked: Whether `▁` is put before each section: then no cut may begin one.
    """
    allowed = {*places}
    left: set[str] = set()
    right = {"/"} if "after line end" in allowed else set()
    for token in added:
        content = token["content"]
        if not content or token.get("single_word"):
            return NO_CUTS
        # A blank is `▁` in a normalized text, and a line end may be a blank (BERT).
        if re.search("[A-Za-z][ ▁]", content):
            allowed.discard("word")
        if re.search(r"\n[^\n]", content):
            allowed.discard("after line end")
        if re.search(r"\S\s|[^\n]\n|[^\r\n]\r", content) or (marked and content[0] in "\r\n"):
            allowed -= {"before line end", "before line feed"}
        if token.get("rstrip"):
            allowed.discard("after line end")
            left |= {content[-1], "\r"}
        if token.get("lstrip"):
            right.add(content[0])
        if marked:
            left.add(content[-1])
    ordered = tuple(place for place in places if place in allowed)
    correction = -1 if marked else 0
    return CutRule(ordered, "".join(sorted(left)), "".join(sorted(right)), correction)


def _merged(model: _Json, added: list[_Json], *, prefixed: bool) -> CutRule:
    """Return the rule for BPE on whole sections."""
    vocabulary = model["vocab"]
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        return NO_CUTS
    # A section that is a token as a whole would be taken at once: that is not local.
    if model.get("ignore_merges"):
        return NO_CUTS
    # A line feed must be a token, or a byte that never merges: unknown characters fuse.
    if "\n" not in vocabulary:
        if not model.get("byte_fallback") or "<0x0A>" not in vocabulary:
            return NO_CUTS
        if any("<0x0A>" in token[1:] or "<0x0A>" in token[:-1] for token in vocabulary):
            return NO_CUTS
    if any(re.search(r"[^\n]\n", token) for token in vocabulary if "\n" in token):
        return NO_CUTS
    if prefixed:
        # `▁` alone must be one token.
        if "▁" not in vocabulary:
            return NO_CUTS
        return _beside(added, ("before line feed",), marked=True)
    if any(re.search("[A-Za-z][ ▁]", token) for token in vocabulary):
        return _beside(added, ("before line feed",))
    return _beside(added, ("word", "before line feed"))

"""Every setting and its default, as one documented tree.

The VS Code manifest and the README table are generated from here (`scripts/generate_settings.py`),
and a test fails when they differ. Settings travel as JSON with camelCase names under
`transformers.`; `settings_reading` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, get_type_hints

__all__ = [
    "SECTION",
    "SettingInfo",
    "Settings",
    "camel_case",
    "describe_settings",
    "setting_key",
]

SECTION = "transformers"

Scope = Literal["resource", "window", "machine-overridable", "machine"]


def _setting(
    default: Any,
    doc: str,
    *,
    scope: Scope = "resource",
    minimum: float | None = None,
    restricted: bool = False,
    client: bool = False,
) -> Any:
    """Declare one setting.

    Args:
        default: The value when nothing is set; tuples stand for JSON arrays.
        doc: One or two sentences of Markdown for the manifest and the README.
        scope: Where VS Code lets it be set.
        minimum: The smallest number that is accepted.
        restricted: True when an untrusted workspace must not set it.
        client: True when only the VS Code client reads it.
    """
    metadata = {
        "doc": doc,
        "scope": scope,
        "minimum": minimum,
        "restricted": restricted,
        "client": client,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class ModelSettings:
    """Which model does which task."""

    chat: str = _setting(
        "smollm2-135m",
        "The model that answers chat prompts; the other tasks fall back to it. A Hub id that is "
        "in the local cache, a local folder, or the name of an embedded model.",
        restricted=True,
    )
    summarization: str = _setting(
        "", "The model that summarizes; empty means `#transformers.models.chat#`.", restricted=True
    )
    generation: str = _setting(
        "",
        "The model that continues a text; empty means `#transformers.models.chat#`.",
        restricted=True,
    )
    translation: str = _setting("gemma3-270m", "The model that translates.", restricted=True)
    classification: str = _setting(
        "",
        "The classifier for sentiment and for labels of its own (a model for sequence "
        "classification). Empty means `#transformers.models.chat#`, which knows sentiment only.",
        restricted=True,
    )
    zero_shot: str = _setting(
        "",
        "The model that chooses from labels of yours: one for natural language inference, such as "
        "`facebook/bart-large-mnli`. Empty means `#transformers.models.chat#`.",
        restricted=True,
    )
    entities: str = _setting(
        "",
        "The model that finds named entities (a token classifier), such as `dslim/bert-base-NER`; "
        "`#transformers.models.chat#` cannot.",
        restricted=True,
    )
    question_answering: str = _setting(
        "",
        "The model that answers questions on a selection: an extractive one, such as "
        "`deepset/roberta-base-squad2`, shows the passage. Empty means "
        "`#transformers.models.chat#`, which answers in its own words.",
        restricted=True,
    )
    fill_mask: str = _setting(
        "",
        "The masked language model that fills gaps, such as `google-bert/bert-base-uncased`; "
        "`#transformers.models.chat#` cannot.",
        restricted=True,
    )
    similarity: str = _setting(
        "",
        "The embedding model that compares two texts, such as "
        "`sentence-transformers/all-MiniLM-L6-v2`; `#transformers.models.chat#` cannot.",
        restricted=True,
    )


@dataclass(frozen=True)
class TranslationSettings:
    """How translations are made."""

    target_language: str = _setting("French", "The language that *Translate selection* writes.")
    source_language: str = _setting(
        "English",
        "The language of the selection. Only models that must be told it (T5, NLLB, M2M100, "
        "mBART) ask for it.",
    )


@dataclass(frozen=True)
class GenerationSettings:
    """How text is generated."""

    max_new_tokens: int = _setting(
        256, "The longest answer of a task, in tokens of its model.", minimum=1
    )
    temperature: float = _setting(
        0.0, "0 always picks the likeliest token (greedy); higher values vary more.", minimum=0
    )


@dataclass(frozen=True)
class HoverSettings:
    """The token table on hover."""

    enabled: bool = _setting(True, "Show token counts on hover.")
    token: bool = _setting(
        True, "Show the token under the cursor: its text, id and spelling in the vocabulary."
    )


@dataclass(frozen=True)
class InlayHintSettings:
    """Counts at the end of each region."""

    enabled: bool = _setting(True, "Show the token count of each section, fence, string, message.")
    min_tokens: int = _setting(8, "Regions with fewer tokens get no inlay hint.", minimum=0)
    kinds: tuple[str, ...] = _setting(
        (
            "section",
            "fence",
            "front-matter",
            "string",
            "value",
            "message",
            "paragraph",
            "cell",
            "block",
            "document",
        ),
        "Which kinds of regions get inlay hints; `docstring` is the one that may be added.",
    )
    format: str = _setting(
        "{tokens} tokens",
        "What an inlay hint says: `{tokens}` (with ≈ unless exact), `{percent}` of the context "
        "window, `{window}`, `{model}`, `{kind}`.",
    )


@dataclass(frozen=True)
class CodeLensSettings:
    """The counts above the first line and above sections."""

    enabled: bool = _setting(True, "Show the token count of the document above its first line.")
    sections: bool = _setting(
        True, "Show the token count of each top-level section above its heading, too."
    )


@dataclass(frozen=True)
class DiagnosticsSettings:
    """Problems of chats and of texts."""

    enabled: bool = _setting(
        True,
        "Check chats against their model's template, and texts for budgets, special tokens and "
        "hidden characters; mark what goes wrong at its place.",
    )
    disabled: tuple[str, ...] = _setting(
        (), "Codes of problems that are not reported, such as `hidden-character`."
    )


@dataclass(frozen=True)
class BudgetSettings:
    """How long a prompt may be; `max-tokens: 800` in a file says it for that file."""

    max_tokens: int = _setting(
        0,
        "The most tokens a text may have: a Markdown or plain text document, a chat, a string in "
        "code. 0 means no limit. A comment or front matter `max-tokens: 800` wins.",
        minimum=0,
    )
    warn_share: float = _setting(
        0.8,
        "From which share of the budget on a text is said to be near it; 1 means never.",
        minimum=0,
    )
    reserved_output: int = _setting(
        0,
        "Tokens kept free for the model's answer: taken off `#transformers.budget.maxTokens#`, or "
        "off the context window when that is 0.",
        minimum=0,
    )


@dataclass(frozen=True)
class StatusBarSettings:
    """The count in the VS Code status bar."""

    enabled: bool = _setting(
        True,
        "Show the token count of the selection, or of the document, in the status bar.",
        scope="window",
        client=True,
    )


@dataclass(frozen=True)
class LocalSettings:
    """The engine of this machine."""

    keep_alive: float = _setting(
        900.0,
        "How many seconds the process that runs models stays when there is nothing to run, with its "
        "models in memory. 0 ends it with each task, a negative number never.",
        scope="window",
    )
    cpu_decoder: Literal["auto", "torch"] = _setting(
        "auto",
        "What writes text on a machine without a GPU. `auto` is ONNX Runtime if it is installed (the "
        "extra `cpu`): some four times as fast as `torch`, from weights of 8 bits. It prepares a "
        "model once, which takes some seconds, and leaves to torch what it cannot compute. Read when the "
        "engine starts.",
        scope="window",
    )


@dataclass(frozen=True)
class HubSettings:
    """What may be asked of the Hugging Face Hub."""

    allow_network: bool = _setting(
        False,
        "Fetch configured tokenizers that are not on this machine from the Hugging Face Hub. "
        "Nothing is fetched while this is off.",
        scope="machine-overridable",
        restricted=True,
    )


@dataclass(frozen=True)
class Settings:
    """The whole tree."""

    interpreter: tuple[str, ...] = _setting(
        (),
        "The Python interpreter (and its arguments) that runs the server. Empty means the Python "
        "extension's choice, then `python3`.",
        scope="machine-overridable",
        restricted=True,
        client=True,
    )
    tokenizers: tuple[str, ...] = _setting(
        ("smollm2-135m",),
        "The models whose tokenizers count, the first one primary: Hub ids that are in the local "
        "cache, folders, `tokenizer.json` or `.gguf` files, or names of embedded models.",
    )
    context_windows: tuple[tuple[str, int], ...] = _setting(
        (),
        "Context windows in tokens, for models whose files do not say them or are wrong: "
        '`{"smollm2-135m": 8192}`. They win over what the model says.',
        minimum=1,
    )
    chat_template: str = _setting(
        "",
        "A Jinja file that renders chats instead of the model's own chat template; a relative path "
        "starts at the workspace folder. Empty means the model's own.",
    )
    models: ModelSettings = ModelSettings()
    translation: TranslationSettings = TranslationSettings()
    generation: GenerationSettings = GenerationSettings()
    hover: HoverSettings = HoverSettings()
    inlay_hints: InlayHintSettings = InlayHintSettings()
    code_lens: CodeLensSettings = CodeLensSettings()
    diagnostics: DiagnosticsSettings = DiagnosticsSettings()
    budget: BudgetSettings = BudgetSettings()
    status_bar: StatusBarSettings = StatusBarSettings()
    local: LocalSettings = LocalSettings()
    hub: HubSettings = HubSettings()


@dataclass(frozen=True)
class SettingInfo:
    """One leaf of the tree, as the manifest and the README need it."""

    key: str
    """The full name, `transformers.inlayHints.minTokens`."""
    type: type | Any
    default: Any
    doc: str
    scope: Scope
    minimum: float | None
    restricted: bool
    client: bool


def describe_settings() -> Iterator[SettingInfo]:
    """Yield every leaf setting, in the order of the tree."""
    yield from _describe(Settings, SECTION)


def setting_key(*names: str) -> str:
    """Return the full name of a setting from the names of the fields that lead to it."""
    return ".".join((SECTION, *map(camel_case, names)))


def camel_case(name: str) -> str:
    """Return the name of a field as JSON spells it."""
    return re.sub(r"_(\w)", lambda match: match.group(1).upper(), name)


def _describe(cls: type, prefix: str) -> Iterator[SettingInfo]:
    hints = get_type_hints(cls)
    for item in fields(cls):
        key = f"{prefix}.{camel_case(item.name)}"
        if is_dataclass(hints[item.name]):
            yield from _describe(hints[item.name], key)
        else:
            yield SettingInfo(key, hints[item.name], item.default, **item.metadata)

"""What a chat template can say: its variables and their fields, its functions and its tags.

Types are written as in Python's hints: `list[message]`, `str`; the names of objects (`message`,
`part`, `tool` …) are the keys of `FIELDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "FIELDS",
    "FUNCTIONS",
    "KWARGS",
    "LITERALS",
    "SPECIAL_TOKENS",
    "TAGS",
    "VARIABLES",
    "Word",
    "element_of",
]


@dataclass(frozen=True, slots=True)
class Word:
    """A name, the type of its value (empty when it may be any), and what it is for."""

    name: str
    type: str
    doc: str


def _words(*rows: tuple[str, str, str]) -> dict[str, Word]:
    return {name: Word(name, type_, doc) for name, type_, doc in rows}


VARIABLES: Final = _words(
    ("messages", "list[message]", "The chat: what `apply_chat_template` was given."),
    (
        "add_generation_prompt",
        "bool",
        "Whether the prompt must end as an answer begins: `<|im_start|>assistant`, say.",
    ),
    (
        "tools",
        "list[tool]",
        "The tools that may be called, as JSON schemas; none when there are no.",
    ),
    ("documents", "list[document]", "Documents to answer from (RAG); none when there are no."),
)
"""What transformers always passes."""

SPECIAL_TOKENS: Final = _words(
    ("bos_token", "str", "The token that begins a text."),
    ("eos_token", "str", "The token that ends an answer."),
    ("unk_token", "str", "The token that stands for what the vocabulary lacks."),
    ("sep_token", "str", "The token between two texts."),
    ("pad_token", "str", "The token that fills a batch up."),
    ("cls_token", "str", "The token of the whole text (BERT)."),
    ("mask_token", "str", "The token of a gap to fill (BERT)."),
    ("additional_special_tokens", "list[str]", "More special tokens of the tokenizer."),
)

KWARGS: Final = _words(
    ("enable_thinking", "bool", "Whether the model thinks first (Qwen3, SmolLM3, GLM)."),
    ("thinking", "bool", "Whether the model thinks first (DeepSeek, Granite)."),
    ("preserve_thinking", "bool", "Whether earlier turns keep their reasoning (Qwen3.5)."),
    ("keep_past_thinking", "bool", "Whether earlier turns keep their reasoning (LFM2.5)."),
    ("clear_thinking", "bool", "Whether earlier turns lose their reasoning (GLM)."),
    ("drop_thinking", "bool", "Whether earlier turns lose their reasoning (DeepSeek)."),
    ("thinking_budget", "int", "How many tokens the model may think (Seed-OSS)."),
    ("thinking_mode", "str", "How the model thinks."),
    ("thinking_effort", "str", "How hard the model thinks."),
    ("reasoning_effort", "str", "How hard the model thinks: `low`, `medium` or `high` (gpt-oss)."),
    ("model_identity", "str", "Who the model says it is (gpt-oss)."),
    ("builtin_tools", "list[str]", "Tools that the model knows by itself (Llama 3.1, gpt-oss)."),
    ("custom_tools", "list[tool]", "The same as `tools` (Llama 3.1)."),
    ("available_tools", "list[tool]", "The same as `tools` (Granite)."),
    ("tools_in_user_message", "bool", "Whether tools stand in the first user turn (Llama 3.1)."),
    ("tool_choice", "str", "Which tools the model must call."),
    ("date_string", "str", "Today, as the system message says it (Llama 3.1)."),
    ("current_date", "str", "Today, as the system message says it."),
    ("knowledge_cutoff", "str", "Up to when the model knows the world."),
    ("controls", "", "What the answer must be like (Granite)."),
    ("response_format", "", "The JSON schema that the answer must fit."),
    ("response_schema", "", "The JSON schema that the answer must fit."),
    ("add_vision_id", "bool", "Whether images and videos are numbered (Qwen2-VL)."),
    ("continue_final_message", "bool", "Whether the last message is to be continued."),
    ("default_system_prompt", "str", "The system message of chats that have none."),
    ("system_message", "str", "A system message given beside the chat."),
)
"""Arguments that templates of the field take; the caller passes them by name."""

FUNCTIONS: Final = {
    "raise_exception": Word(
        "raise_exception",
        "raise_exception(message)",
        "Refuse the chat: `apply_chat_template` raises a `TemplateError` with this message.",
    ),
    "strftime_now": Word(
        "strftime_now",
        "strftime_now(format)",
        "The time now, as `datetime.now().strftime(format)` writes it. Not every engine has it:"
        " test `strftime_now is defined`.",
    ),
    "namespace": Word(
        "namespace",
        "namespace(**values)",
        "An object whose attributes can be set, also inside a loop:"
        " `{% set ns = namespace(found=false) %}` … `{% set ns.found = true %}`.",
    ),
    "range": Word("range", "range([start,] stop[, step])", "Whole numbers, as Python's `range`."),
    "dict": Word("dict", "dict(**items)", "A dictionary: `dict(a=1)` is `{'a': 1}`."),
    "cycler": Word("cycler", "cycler(*items)", "Gives its items in turn: `c.next()`, `c.reset()`."),
    "joiner": Word("joiner", "joiner(sep=', ')", "Gives nothing the first time, then `sep`."),
    "lipsum": Word("lipsum", "lipsum(n=5)", "Filler text. Not for chat templates."),
}

FIELDS: Final[dict[str, dict[str, Word]]] = {
    "message": _words(
        ("role", "str", "Who speaks: `system`, `user`, `assistant`, `tool`."),
        ("content", "str | list[part]", "What is said: a text, or parts (texts, images, …)."),
        ("tool_calls", "list[tool_call]", "The tools that the assistant calls."),
        ("tool_call_id", "str", "Which call a `tool` message answers."),
        ("name", "str", "Who speaks by name; of a `tool` message, the tool."),
        ("reasoning_content", "str", "What the assistant thought before it answered."),
        ("thinking", "str", "What the assistant thought (gpt-oss); transformers fills it too."),
        ("reasoning", "str", "What the assistant thought, in some APIs."),
    ),
    "part": _words(
        ("type", "str", "`text`, `image`, `video` or `audio`."),
        ("text", "str", "The text of a part of type `text`."),
        ("image", "", "The image. Write the model's image token; the processor does the rest."),
        ("image_url", "", "Where the image is, in OpenAI's form."),
        ("video", "", "The video."),
        ("audio", "", "The audio."),
        ("url", "str", "Where the image, video or audio is."),
        ("path", "str", "The file of the image, video or audio."),
    ),
    "tool_call": _words(
        ("id", "str", "Which call this is, so that a result can name it."),
        ("type", "str", "`function`."),
        ("function", "called_function", "The function that is called."),
    ),
    "called_function": _words(
        ("name", "str", "The name of the function."),
        ("arguments", "dict[str, any]", "Its arguments: a dictionary, or JSON text in some APIs."),
    ),
    "tool": _words(
        ("type", "str", "`function`."),
        ("function", "function", "The function that may be called."),
    ),
    "function": _words(
        ("name", "str", "The name of the function."),
        ("description", "str", "What it does."),
        ("parameters", "schema", "The JSON schema of its arguments."),
        ("return", "schema", "The JSON schema of its result, if known."),
        ("strict", "bool", "Whether arguments must fit the schema exactly."),
    ),
    "schema": _words(
        ("type", "str", "`object`, `string`, `integer`, `number`, `boolean`, `array`."),
        ("description", "str", "What the value means."),
        ("properties", "dict[str, schema]", "The schemas of the arguments, by name."),
        ("required", "list[str]", "The arguments that must be given."),
        ("items", "schema", "The schema of an array's items."),
        ("enum", "list[str]", "The values that are allowed."),
        ("default", "", "The value when none is given."),
        ("nullable", "bool", "Whether none is allowed."),
    ),
    "document": _words(
        ("title", "str", "The title of the document."),
        ("text", "str", "What it says."),
    ),
    "loop": _words(
        ("index", "int", "The round, from 1."),
        ("index0", "int", "The round, from 0."),
        ("revindex", "int", "Rounds to go, down to 1."),
        ("revindex0", "int", "Rounds to go, down to 0."),
        ("first", "bool", "Whether this is the first round."),
        ("last", "bool", "Whether this is the last round."),
        ("length", "int", "How many rounds there are."),
        ("previtem", "", "The item of the round before; not in every engine."),
        ("nextitem", "", "The item of the next round; not in every engine."),
        ("cycle", "", "`loop.cycle(a, b)` gives its arguments in turn."),
        ("changed", "", "`loop.changed(x)`: whether x differs from the round before."),
        ("depth", "int", "How deep a recursive loop is, from 1."),
        ("depth0", "int", "How deep a recursive loop is, from 0."),
    ),
}
"""The fields of the objects that a template meets."""

LITERALS: Final = {
    ("message", "role"): ("system", "user", "assistant", "tool", "developer"),
    ("part", "type"): ("text", "image", "video", "audio"),
    ("schema", "type"): ("object", "string", "integer", "number", "boolean", "array", "null"),
    ("tool", "type"): ("function",),
    ("tool_call", "type"): ("function",),
}
"""The values of fields that have few."""

TAGS: Final = {
    "for": ("for ${1:message} in ${2:messages}", "endfor", "Repeat for each item."),
    "if": ("if ${1:condition}", "endif", "Only when a condition holds."),
    "elif": ("elif ${1:condition}", "", "Otherwise, when another condition holds."),
    "else": ("else", "", "Otherwise; of a `for`, when there was no item."),
    "set": ("set ${1:name} = ${2:value}", "", "Give a name a value, in this scope only."),
    "macro": ("macro ${1:name}(${2:arguments})", "endmacro", "Define a function."),
    "call": ("call ${1:macro}()", "endcall", "Call a macro with a body, its `caller()`."),
    "filter": ("filter ${1:trim}", "endfilter", "Send the text of the block through a filter."),
    "with": ("with ${1:name} = ${2:value}", "endwith", "Give names values inside the block."),
    "generation": (
        "generation",
        "endgeneration",
        "Mark what the assistant wrote, for training; names set inside are not seen outside.",
    ),
    "break": ("break", "", "Leave the loop."),
    "continue": ("continue", "", "Go on with the next round of the loop."),
    "raw": ("raw", "endraw", "Write the block as it stands, marks and all."),
}
"""The tags of chat templates: how they are written, what closes them, what they do."""


def element_of(type_: str) -> str:
    """Return the type of a list's items, or of a dictionary's values; empty when not known.

    Of `str | list[part]` it is that of the list, since a text is not gone through.
    """
    for choice in type_.split(" | "):
        for prefix in ("list[", "dict[str, "):
            if choice.startswith(prefix) and choice.endswith("]"):
                return choice[len(prefix) : -1]
    return ""

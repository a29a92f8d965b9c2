"""Find the chat template of a model folder, by the rules of `AutoTokenizer.from_pretrained`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from transformers_ls.errors import ModelBrokenError, ModelError
from transformers_ls.gguf import read_gguf

__all__ = [
    "ChatTemplate",
    "choose_template",
    "find_template",
    "find_templates",
    "no_template",
    "special_tokens",
    "template_of_file",
]

_FILES: Final = (
    *("chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json"),
    *("chat_template.json", "processor_config.json"),
)
_STANDARD_TOKENS: Final = (
    *("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"),
)
_LLAMA = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
_GPT2 = dict.fromkeys(("unk_token", "bos_token", "eos_token"), "<|endoftext|>")
_QWEN2 = dict.fromkeys(("unk_token", "eos_token", "pad_token"), "<|endoftext|>")
_CLASS_TOKENS: Final[dict[str, dict[str, str]]] = {
    "LlamaTokenizer": _LLAMA,
    "CodeLlamaTokenizer": _LLAMA,
    "Qwen2Tokenizer": _QWEN2,
    "GPT2Tokenizer": _GPT2,
    "GPTNeoXTokenizer": {**_GPT2, "pad_token": "<|padding|>"},
    "GemmaTokenizer": {
        "unk_token": "<unk>",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    },
    "CohereTokenizer": {
        "unk_token": "<UNK>",
        "bos_token": "<BOS_TOKEN>",
        "eos_token": "<|END_OF_TURN_TOKEN|>",
        "pad_token": "<PAD>",
        "cls_token": "<CLS>",
        "sep_token": "<SEP>",
        "mask_token": "<MASK_TOKEN>",
    },
}
"""The tokens that transformers' tokenizer classes of chat models set when their files set none."""


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template, where it comes from, and the special tokens it is given by name."""

    source: str
    origin: str
    special_tokens: Mapping[str, str] = field(default_factory=dict)
    name: str = "default"


def find_template(
    folder: Path, name: str | None = None, *, tools: bool = False, model: str = ""
) -> ChatTemplate:
    """Find the template that transformers would use.

    Args:
        folder: The model's folder, or a file in it (tokenizer.json).
        name: The name of one of several templates.
        tools: Whether tools are given: a template named `tool_use` is then the first choice.
        model: What the user calls the model, for messages; the folder's name when not given.

    Raises:
        ModelError: There is none, or none of that name.
        ModelBrokenError: The files that should hold it cannot be read.
    """
    model = model or (folder if folder.is_dir() else folder.parent).name
    return choose_template(find_templates(folder), name, tools=tools, model=model)


def choose_template(
    templates: Mapping[str, ChatTemplate],
    name: str | None = None,
    *,
    tools: bool = False,
    model: str = "",
) -> ChatTemplate:
    """Choose one of a model's templates as transformers would; see `find_template`.

    Raises:
        ModelError: There is none, or none of that name.
    """
    if not templates:
        raise no_template(model)
    wanted = name or ("tool_use" if tools and "tool_use" in templates else "default")
    if wanted not in templates:
        raise ModelError(
            f"{model} has no chat template named {wanted!r}.",
            f"Choose one of: {', '.join(sorted(templates))}.",
        )
    return templates[wanted]


def no_template(model: str) -> ModelError:
    """Say that a model has no chat template, and what one can do."""
    return ModelError(
        f"{model} has no chat template: it looks like a base model.",
        "Choose an instruct model, put a chat_template.jinja beside its tokenizer, or name a "
        "template's file in `transformers.chatTemplate`.",
    )


def find_templates(folder: Path) -> dict[str, ChatTemplate]:
    """Return all chat templates of a model folder by name; empty for a base model.

    Remembered until a file changes: previews ask with each key.
    """
    return dict(_found(folder, _signature(folder)))


def _signature(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when one of the files does that templates and tokens are read from."""
    files = [folder] if folder.is_file() else []
    home = folder if folder.is_dir() else folder.parent
    files += [home / name for name in _FILES]
    files += sorted((home / "additional_chat_templates").glob("*.jinja"))
    found = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        found.append((str(file), status.st_mtime_ns, status.st_size))
    return tuple(found)


@lru_cache(maxsize=32)
def _found(folder: Path, _signature: object) -> dict[str, ChatTemplate]:
    if folder.is_file() and folder.suffix == ".gguf":
        found = _from_gguf(folder)
        if found:
            return found
    folder = folder if folder.is_dir() else folder.parent
    config = _read_json(folder / "tokenizer_config.json")
    sources = _from_files(folder) or _from_config(config) or _from_processor(folder)
    tokens = _special_tokens(folder, config) if sources else {}
    return {
        name: ChatTemplate(source, origin, tokens, name)
        for name, (source, origin) in sources.items()
    }


def special_tokens(folder: Path) -> dict[str, str]:
    """Return the special tokens that a model's template is given, by name.

    Remembered until a file changes: completions ask with each key.

    Raises:
        ModelBrokenError: The files that should hold them cannot be read.
    """
    return dict(_tokens_found(folder, _signature(folder)))


@lru_cache(maxsize=32)
def _tokens_found(folder: Path, _signature: object) -> dict[str, str]:
    if folder.is_file() and folder.suffix == ".gguf":
        return dict(read_gguf(folder).special_tokens)
    folder = folder if folder.is_dir() else folder.parent
    return _special_tokens(folder, _read_json(folder / "tokenizer_config.json"))


def template_of_file(path: Path, tokens: Mapping[str, str]) -> ChatTemplate:
    """Return the template that a user chose instead of the model's own.

    Args:
        path: A Jinja file.
        tokens: The special tokens of the model.

    Raises:
        ModelBrokenError: The file cannot be read.
    """
    return ChatTemplate(_read_text(path), str(path), tokens)


def _from_gguf(path: Path) -> dict[str, ChatTemplate]:
    header = read_gguf(path)
    return {
        name: ChatTemplate(source, f"{path.name} metadata", header.special_tokens, name)
        for name, source in header.templates.items()
    }


def _from_files(folder: Path) -> dict[str, tuple[str, str]]:
    """Files of their own come first, and then the config's templates do not count at all."""
    found = {}
    if (main := folder / "chat_template.jinja").is_file():
        found["default"] = (_read_text(main), main.name)
    for path in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        found[path.stem] = (_read_text(path), f"{path.parent.name}/{path.name}")
    return found


def _from_config(config: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    origin = "tokenizer_config.json"
    given = config.get("chat_template")
    if isinstance(given, str):
        return {"default": (given, origin)}
    if isinstance(given, dict):
        return {name: (text, origin) for name, text in given.items() if isinstance(text, str)}
    if isinstance(given, list):
        return {
            str(entry["name"]): (entry["template"], origin)
            for entry in given
            if isinstance(entry, dict)
            and isinstance(entry.get("template"), str)
            and "name" in entry
        }
    return {}


def _from_processor(folder: Path) -> dict[str, tuple[str, str]]:
    """Older processors (image and text) keep theirs in a JSON file of its own."""
    for name in ("chat_template.json", "processor_config.json"):
        given = _read_json(folder / name).get("chat_template")
        if isinstance(given, str):
            return {"default": (given, name)}
        if isinstance(given, dict):
            return {key: (text, name) for key, text in given.items() if isinstance(text, str)}
    return {}


def _special_tokens(folder: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """Return `tokenizer.special_tokens_map`, which the template gets as variables."""
    values = dict(config)
    if "added_tokens_decoder" not in config:  # How transformers tells files of before 2023.
        values |= _read_json(folder / "special_tokens_map.json")
    class_name = str(config.get("tokenizer_class") or "").removesuffix("Fast")
    tokens = dict(_CLASS_TOKENS.get(class_name, {}))
    named = values.get("extra_special_tokens")
    own_names = [key for key in values if key.endswith("_token") and key not in _STANDARD_TOKENS]
    for key in (*_STANDARD_TOKENS, *own_names):
        if key in values:
            tokens.pop(key, None)
            if (token := _content(values[key])) is not None:
                tokens[key] = token
    if isinstance(named, dict):
        tokens |= {key: token for key, value in named.items() if (token := _content(value))}
    return tokens


def _content(token: Any) -> str | None:
    """Return the text of a token, written as a string or as an AddedToken."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _broken(path) from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise _broken(path) from error
    if not isinstance(value, dict):
        raise _broken(path)
    return value


def _broken(path: Path) -> ModelBrokenError:
    return ModelBrokenError(
        f"{path.name} of {path.parent.name} cannot be read.",
        "Download the model again, or correct the file.",
    )

"""Open chat templates: what is wrong with them, and what they are rendered with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import to_fs_path

from transformers_ls.errors import ModelError, UsageError
from transformers_ls.lsp.analysis import language_of
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.problems import Problem
    from transformers_ls.chat.template import ChatTemplate
    from transformers_ls.lsp.chats import RenderedChat, RenderOptions
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.snapshot import Snapshot

__all__ = ["Templates", "is_template", "may_be_template"]


def is_template(document: Document) -> bool:
    """Say whether a document is a chat template."""
    if not _is_jinja(document):
        return False
    from transformers_ls.templates.recognize import is_chat_template

    return is_chat_template(document.uri, document.snapshot.text)


def may_be_template(document: Document) -> bool:
    """Say whether a document is a chat template, or may become one."""
    if not _is_jinja(document):
        return False
    from transformers_ls.templates.recognize import may_be_chat_template

    return may_be_chat_template(document.uri, document.snapshot.text)


def _is_jinja(document: Document) -> bool:
    """Say whether a document is written in jinja; editors have several names for it."""
    return language_of(document).startswith("jinja")


@dataclass(frozen=True, slots=True)
class _Kept:
    snapshot: Snapshot
    specials: frozenset[str]
    result_id: str
    problems: list[Problem]


class Templates:
    """The chat templates that the client has open."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._kept: dict[str, _Kept] = {}
        self._ids = count(1)

    async def problems(self, document: Document) -> tuple[str, list[Problem]]:
        """Return the problems of a template, and an id that changes when they may have."""
        from transformers_ls.templates.lint import lint

        specials = frozenset(await self.special_tokens(document))
        kept = self._kept.get(document.uri)
        if kept is None or kept.snapshot is not document.snapshot or kept.specials != specials:
            found = await asyncio.to_thread(lint, document.snapshot.text, specials)
            kept = _Kept(document.snapshot, specials, f"template-{next(self._ids)}", found)
            now = self._server.documents.get(document.uri)
            if now is not None and now.snapshot is document.snapshot:
                self._kept[document.uri] = kept
        return kept.result_id, kept.problems

    async def special_tokens(self, document: Document) -> dict[str, str]:
        """Return the special tokens that the template is given, by name.

        They are those of the tokenizer beside the file; without one, of the primary model.
        """
        return (await self._model(document, None))[1]

    async def own(
        self, document: Document, model: str | None
    ) -> tuple[str, dict[str, ChatTemplate]]:
        """Return the open text as the only template, and the model whose tokens it is given.

        Raises:
            ModelError: There is no such model, or it cannot be read.
        """
        from transformers_ls.chat.template import ChatTemplate

        name, tokens = await self._model(document, model)
        file = document.uri.rsplit("/", 1)[-1]
        return name, {"default": ChatTemplate(document.snapshot.text, file, tokens)}

    async def render(
        self, document: Document, model: str | None, options: RenderOptions
    ) -> RenderedChat:
        """Render a sample chat through the open text.

        Raises:
            UsageError: There is no such sample.
            ModelError: There is no such model, or it cannot be read.
            TemplateError: The template refused the sample, is not valid, or broke a limit.
        """
        from transformers_ls.templates.samples import sample_conversations

        conversations = sample_conversations(len(document.snapshot))
        names = [conversation.label for conversation in conversations]
        wanted = options.sample or names[0]
        if wanted not in names:
            raise UsageError(f"There is no sample {wanted!r}.", f"Choose of: {', '.join(names)}.")
        place = names.index(wanted)
        # The open text is the template; what was chosen of a model's templates is not asked for.
        options = replace(options, template=None)
        chat = await self._server.chats.view(
            document, conversations[place], place, model=model, options=options
        )
        return replace(chat, samples=tuple(names))

    def forget(self, uri: str) -> None:
        """Drop what was found in a document that was closed."""
        self._kept.pop(uri, None)

    async def _model(self, document: Document, model: str | None) -> tuple[str, dict[str, str]]:
        """Return a model and its special tokens; one that has no tokenizer has none."""
        beside = _folder_of(document)
        if model is None and beside is not None:
            tokens = await asyncio.to_thread(_tokens_beside, beside)
            if tokens is not None:
                return str(beside), tokens
        settings = self._server.configuration.for_uri(document.uri)
        names = [model] if model else [*settings.tokenizers, settings.models.chat]
        for name in dict.fromkeys(names):
            try:
                return name, await asyncio.to_thread(_tokens_of, name)
            except ModelError:
                if model:
                    raise
        return next(iter(names), ""), {}


def _folder_of(document: Document) -> Path | None:
    path = to_fs_path(document.uri)
    if path is None or not document.uri.startswith("file:"):
        return None
    folder = Path(path).parent
    return folder.parent if folder.name == "additional_chat_templates" else folder


def _tokens_beside(folder: Path) -> dict[str, str] | None:
    """Return the special tokens of the tokenizer in a folder; None when there is none."""
    from transformers_ls.chat.template import special_tokens

    if not (folder / "tokenizer.json").is_file():
        return None
    try:
        return special_tokens(folder)
    except ModelError:
        return None


def _tokens_of(model: str) -> dict[str, str]:
    from transformers_ls.chat.template import special_tokens
    from transformers_ls.hub.resolve import resolve

    return special_tokens(resolve(model).tokenizer)

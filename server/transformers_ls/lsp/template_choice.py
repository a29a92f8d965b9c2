"""Which chat template renders a document: the settings' file, or a configured model's own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from pygls.uris import to_fs_path

from transformers_ls.chat.documents import base_model_name, default_template
from transformers_ls.chat.template import (
    ChatTemplate,
    choose_template,
    find_templates,
    no_template,
    special_tokens,
    template_of_file,
)
from transformers_ls.errors import ModelError, TransformersLsError
from transformers_ls.lsp.templates import is_template
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["TemplateChoice", "base_of"]


class TemplateChoice:
    """Finds templates by the settings of a document."""

    def __init__(self, server: TransformersServer) -> None:
        self._server = server
        self._asking: dict[str, asyncio.Task[dict[str, ChatTemplate]]] = {}

    async def template(self, document: Document, model: str | None) -> tuple[str, ChatTemplate]:
        """Choose whose template renders a document: the first configured model that has one.

        Raises:
            ModelError: None has one.
        """
        name, templates = await self.templates(document, model)
        return name, choose_template(templates, model=name)

    async def templates(
        self, document: Document, model: str | None
    ) -> tuple[str, dict[str, ChatTemplate]]:
        """Return the templates of the first configured model that has any, by name.

        Raises:
            ModelError: None has one.
        """
        if is_template(document):
            return await self._server.templates.own(document, model)
        settings = self._server.configuration.for_uri(document.uri)
        names = [model] if model else [*settings.tokenizers, settings.models.chat]
        if settings.chat_template:
            path = self._path(document, settings.chat_template)
            name = model or next(filter(None, names), "")
            return name, await asyncio.to_thread(_chosen_template, path, name)
        problem: ModelError | None = None
        for name in dict.fromkeys(names):
            try:
                return name, await self._of_model(name)
            except ModelError as error:
                problem = problem or error
        raise problem or ModelError("No model is configured.", "Set `transformers.tokenizers`.")

    async def _of_model(self, name: str) -> dict[str, ChatTemplate]:
        """Read a model's templates; all who ask meanwhile, such as each row on a screen, get them."""
        task = self._asking.get(name)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_templates_of, name))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))
            # Whoever is left hears of a failure; when nobody is, nobody need.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(task)

    def _path(self, document: Document, written: str) -> Path:
        """Return the path that a setting means: relative ones start at the workspace folder."""
        folders = [f for f in self._server.workspace.folders if document.uri.startswith(f)]
        base = to_fs_path(max(folders, key=len)) if folders else None
        return Path(base or ".") / Path(written).expanduser()


def _chosen_template(path: Path, model: str) -> dict[str, ChatTemplate]:
    """Return the template of a file, with the special tokens of a model, if that is here.

    Raises:
        ModelBrokenError: The file cannot be read.
    """
    from transformers_ls.hub.resolve import resolve

    try:
        tokens = special_tokens(resolve(model).tokenizer)
    except TransformersLsError:
        tokens = {}
    return {"default": template_of_file(path, tokens)}


def base_of(model: str) -> tuple[str, ChatTemplate] | None:
    """Return the base of a fine-tuned model and its template, if they are on this machine."""
    from transformers_ls.hub.resolve import resolve

    try:
        found = resolve(model)
        base = base_model_name(found.adapter or found.folder)
        template = default_template(resolve(base).template) if base else None
    except TransformersLsError:
        return None
    return (base, template) if base and template else None


def _templates_of(model: str) -> dict[str, ChatTemplate]:
    """Return the templates of a model.

    Raises:
        ModelError: There is no such model, or it has none.
    """
    from transformers_ls.hub.resolve import resolve

    templates = find_templates(resolve(model).template)
    if not templates:
        raise no_template(model)
    return templates

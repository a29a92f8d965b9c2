"""`textDocument/codeAction`: repairs of chats, and the tasks on the selection."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from transformers_ls.errors import TransformersLsError
from transformers_ls.lsp.features.diagnostic import quick_fixes
from transformers_ls.lsp.own_tasks import tasks_for
from transformers_ls.settings import Settings

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tasks.catalogue import Task

_KIND = "refactor.rewrite.transformers"


def register(server: TransformersServer) -> None:
    """Add the code action handler."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(
            code_action_kinds=[
                types.CodeActionKind.QuickFix,
                types.CodeActionKind.RefactorRewrite,
            ]
        ),
    )
    async def on_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        fixes = []
        if _wanted(types.CodeActionKind.QuickFix.value, params.context.only):
            with suppress(TransformersLsError):  # The tasks are offered all the same.
                fixes = await quick_fixes(server, document, params.range)
        if params.range.start == params.range.end:
            return fixes
        settings = server.configuration.for_uri(document.uri)
        return fixes + [
            _action(task, params, document.version, settings)
            for task in (await tasks_for(document.uri)).tasks.values()
            if _wanted(f"{_KIND}.{task.id}", params.context.only)
        ]


def _wanted(kind: str, only: Any) -> bool:
    return only is None or any(kind == asked or kind.startswith(f"{asked}.") for asked in only)


def _action(
    task: Task, params: types.CodeActionParams, version: int | None, settings: Settings
) -> types.CodeAction:
    title, argument = (
        task.title,
        {
            "task": task.id,
            "textDocument": {"uri": params.text_document.uri, "version": version},
            "range": params.range,
        },
    )
    if task.needs_language:
        language = settings.translation.target_language
        title, argument["targetLanguage"] = f"{title} {language}", language
    return types.CodeAction(
        title,
        kind=f"{_KIND}.{task.id}",
        command=types.Command(title=title, command="transformers.run", arguments=[argument]),
    )

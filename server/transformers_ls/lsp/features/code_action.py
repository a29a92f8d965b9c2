"""`textDocument/codeAction`: repairs of chats, and the tasks on the selection.

A menu of all tasks would be noise. Offered are those that many want on any selection, those that fit
this one (a docstring in code, a word for a gap), and the user's own; a client that asks for our kinds
by name gets all. What must be asked of the user first has no place in a menu of LSP.

What edits is a `refactor.rewrite`, as in any editor's menu. What only answers is of a kind of our own,
since it refactors nothing, and since `source` actions may run whenever a file is saved.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from transformers_ls.errors import TransformersLsError
from transformers_ls.lsp.documents import from_lsp_position
from transformers_ls.lsp.features.diagnostic import quick_fixes
from transformers_ls.lsp.own_tasks import tasks_for
from transformers_ls.settings import Settings
from transformers_ls.tasks.comments import line_comment

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.tasks.catalogue import Task
    from transformers_ls.text.document import Document

_EDIT = "refactor.rewrite.transformers"
_ANSWER = "transformers.answer"
# Before the selection is read for a gap: nobody fills one in more text than this.
_GAP_CHARACTERS = 2000
_GAP = re.compile(r"\[MASK\]|<mask>|___", re.IGNORECASE)
_DEFINITION = re.compile(r"\s*(?:async\s+)?(?:def|class)\s")


def register(server: TransformersServer) -> None:
    """Add the code action handler."""

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(
            code_action_kinds=[
                types.CodeActionKind.QuickFix,
                types.CodeActionKind.RefactorRewrite,
                _ANSWER,
            ]
        ),
    )
    async def on_code_action(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        only = params.context.only
        fixes = []
        if _wanted(types.CodeActionKind.QuickFix.value, only):
            with suppress(TransformersLsError):  # The tasks are offered all the same.
                fixes = await quick_fixes(server, document, params.range)
        settings = server.configuration.for_uri(document.uri)
        named = any("transformers" in kind for kind in map(str, only or ()))
        tasks = (await tasks_for(document.uri)).tasks.values()
        return fixes + [
            _action(task, params, document.version, settings)
            for task in tasks
            if _wanted(_kind(task), only)
            and set(task.asks) <= {"language"}
            and (named or task.is_common)
            and _fits(server, task, document, params.range)
        ]


def _kind(task: Task) -> str:
    return f"{_EDIT if task.result == 'edit' else _ANSWER}.{task.id}"


def _wanted(kind: str, only: Any) -> bool:
    return only is None or any(kind == asked or kind.startswith(f"{asked}.") for asked in only)


def _fits(server: TransformersServer, task: Task, document: Document, span: types.Range) -> bool:
    """Whether a task has something to do there; cheap, since the menu follows the cursor."""
    from transformers_ls.tasks.work import FillMask, Writing

    is_empty = span.start == span.end
    if isinstance(task.work, Writing) and task.work.placement == "docstring":
        if document.language_id == "python":
            # In a body of a long function a cursor says little of what is wanted.
            line = document.snapshot.line(span.start.line)
            return not is_empty or _DEFINITION.match(line) is not None
        return not is_empty and line_comment(document.language_id) is not None
    if isinstance(task.work, FillMask):
        encoding = server.documents.encoding
        start, end = (
            document.snapshot.offset_at(from_lsp_position(place), encoding)
            for place in (span.start, span.end)
        )
        return end - start <= _GAP_CHARACTERS and bool(
            _GAP.search(document.snapshot.slice(start, end))
        )
    return not is_empty


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
    if "language" in task.asks:
        language = settings.translation.target_language
        title, argument["targetLanguage"] = f"{title} {language}", language
    return types.CodeAction(
        title,
        kind=_kind(task),
        command=types.Command(title=title, command="transformers.run", arguments=[argument]),
    )

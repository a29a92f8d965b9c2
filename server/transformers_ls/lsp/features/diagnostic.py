"""`textDocument/diagnostic`: what is wrong with chats, texts and templates, at its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.lsp.documents import to_lsp_range
from transformers_ls.paths import diagnostics_page
from transformers_ls.text.document import Document

if TYPE_CHECKING:
    from transformers_ls.chat.problems import Fix, Problem
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["diagnostics_of", "quick_fixes", "register"]

_SOURCE = "transformers-ls"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def register(server: TransformersServer) -> None:
    """Add the pull diagnostics handler."""

    @server.feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        types.DiagnosticOptions(
            inter_file_dependencies=False, workspace_diagnostics=False, identifier=_SOURCE
        ),
    )
    async def on_diagnostic(
        params: types.DocumentDiagnosticParams,
    ) -> types.RelatedFullDocumentDiagnosticReport | types.RelatedUnchangedDocumentDiagnosticReport:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return types.RelatedFullDocumentDiagnosticReport(items=[])
        result_id, items = await diagnostics_of(server, document)
        if result_id == params.previous_result_id:
            return types.RelatedUnchangedDocumentDiagnosticReport(result_id=result_id)
        return types.RelatedFullDocumentDiagnosticReport(items=items, result_id=result_id)


async def diagnostics_of(
    server: TransformersServer, document: Document
) -> tuple[str, list[types.Diagnostic]]:
    """Return the diagnostics of one version of a document, and an id that changes with them."""
    mark, found = server.highlights.of(document)
    if not _is_wanted(server, document):
        return f"off{mark}", found
    diagnosis = await server.diagnoses.of(document)
    items = [_diagnostic(server, document, problem) for problem in diagnosis.problems]
    return f"{diagnosis.result_id}{mark}", items + found


async def quick_fixes(
    server: TransformersServer, document: Document, span: types.Range
) -> list[types.CodeAction]:
    """Return the repairs of the problems that touch a range."""
    if not _is_wanted(server, document):
        return []
    actions = []
    for problem in (await server.diagnoses.of(document)).problems:
        diagnostic = _diagnostic(server, document, problem)
        if problem.fixes and _touch(diagnostic.range, span):
            actions += [_action(server, document, diagnostic, fix) for fix in problem.fixes]
    return actions


def _is_wanted(server: TransformersServer, document: Document) -> bool:
    return server.configuration.for_uri(document.uri).diagnostics.enabled


def _diagnostic(
    server: TransformersServer, document: Document, problem: Problem
) -> types.Diagnostic:
    page = diagnostics_page()
    return types.Diagnostic(
        range=to_lsp_range(
            document.snapshot, problem.start, problem.end, server.documents.encoding
        ),
        message=problem.message,
        severity=_SEVERITIES[problem.severity],
        code=problem.code,
        code_description=types.CodeDescription(f"{page.as_uri()}#{problem.code}") if page else None,
        source=_SOURCE,
    )


def _action(
    server: TransformersServer, document: Document, diagnostic: types.Diagnostic, fix: Fix
) -> types.CodeAction:
    edits = [
        types.TextEdit(
            to_lsp_range(document.snapshot, edit.start, edit.end, server.documents.encoding),
            edit.text,
        )
        for edit in fix.edits
    ]
    identifier = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return types.CodeAction(
        fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[diagnostic],
        edit=types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, edits)]),
    )


def _touch(one: types.Range, other: types.Range) -> bool:
    return one.start <= other.end and other.start <= one.end

"""`textDocument/codeLens`: the token counts of the document and of its top-level sections.

Those of a long document are counted when the client asks for each lens it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from transformers_ls.lsp.counting import (
    Counted,
    count_texts,
    display_name,
    format_tokens,
    format_window,
)
from transformers_ls.lsp.documents import to_lsp_range

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.document import Document
    from transformers_ls.text.regions import Region, Regions
    from transformers_ls.text.snapshot import Slice, Snapshot

_LAZY_CHARACTERS = 100_000
"""From here on a lens is counted when it is shown."""
_SECTIONS_CHARACTERS = 4_000_000
"""Documents longer than this have no lenses above sections: finding all of them takes seconds."""


def register(server: TransformersServer) -> None:
    """Add the code lens handlers."""

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=True))
    async def on_code_lens(params: types.CodeLensParams) -> list[types.CodeLens]:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return []
        settings = server.configuration.for_uri(document.uri)
        if not settings.code_lens.enabled:
            return []
        lenses = [_lens(server, document, model, None) for model in settings.tokenizers]
        if settings.code_lens.sections and len(document.snapshot) <= _SECTIONS_CHARACTERS:
            regions = await server.analyses.regions(document)
            # Those of a few megabytes take a tenth of a second: too long for the event loop.
            lenses += await asyncio.to_thread(
                _section_lenses, server, document, regions, settings.tokenizers[:1]
            )
        if len(document.snapshot) < _LAZY_CHARACTERS:
            await _count(server, document, lenses)
        return lenses

    @server.feature(types.CODE_LENS_RESOLVE)
    async def on_resolve(lens: types.CodeLens) -> types.CodeLens:
        data: Any = lens.data
        document = server.documents.get(data["uri"])
        if document is None or document.version != data["version"]:
            # The client asks for all lenses anew after a change; this one is on its way out.
            lens.command = types.Command(title="…", command="")
        else:
            await _count(server, document, [lens])
        return lens


def _section_lenses(
    server: TransformersServer, document: Document, regions: Regions, models: Sequence[str]
) -> list[types.CodeLens]:
    return [
        _lens(server, document, model, section)
        for section in _top_sections(regions, document)
        for model in models
    ]


def _lens(
    server: TransformersServer, document: Document, model: str, section: Region | None
) -> types.CodeLens:
    start, end = (section.start, section.end) if section else (0, 0)
    data = {
        "uri": document.uri,
        "version": document.version,
        "model": model,
        "section": [start, end] if section else None,
    }
    place = to_lsp_range(document.snapshot, start, start, server.documents.encoding)
    return types.CodeLens(place, data=data)


async def _count(
    server: TransformersServer, document: Document, lenses: Sequence[types.CodeLens]
) -> None:
    """Write the counts into lenses of one document."""
    from transformers_ls.text.snapshot import Slice

    settings = server.configuration.for_uri(document.uri)
    whole = document.snapshot
    for model in dict.fromkeys(_data(lens)["model"] for lens in lenses):
        mine = [lens for lens in lenses if _data(lens)["model"] == model]
        texts: list[str | Slice | Snapshot] = [
            Slice(whole, *section) if (section := _data(lens)["section"]) else whole
            for lens in mine
        ]
        (counted,) = await count_texts(
            server, [model], [*texts, whole], windows=settings.context_windows
        )
        for number, lens in enumerate(mine):
            # A lens needs a command to be shown; an empty id makes it plain text.
            lens.command = types.Command(
                title=_title(counted, number, section=bool(_data(lens)["section"])), command=""
            )


def _data(lens: types.CodeLens) -> dict[str, Any]:
    data: dict[str, Any] = lens.data  # type: ignore[assignment]
    return data


def _top_sections(regions: Regions, document: Document) -> list[Region]:
    """Return the sections of the highest level that has several; under one title, those below."""
    sections = [r for r in regions.all() if r.kind == "section" and _is_source(r, document)]
    while sections:
        top: list[Region] = []
        for section in sections:
            if not top or section.start >= top[-1].end:
                top.append(section)
        if len(top) > 1:
            return top
        # The only one is the title; it holds all the others.
        sections = sections[1:]
    return []


def _is_source(region: Region, document: Document) -> bool:
    """Tell whether a region's text is what stands in the document; a template's is what it says."""
    body = region.body
    return not isinstance(body, str) or body == document.snapshot.slice(region.start, region.end)


def _title(item: Counted, number: int, *, section: bool) -> str:
    name = display_name(item.model)
    if item.entry.state == "loading":
        return f"{name}: loading the tokenizer…"
    if not item.ready:
        return f"{name}: {item.entry.message}"
    tokens, whole = item.tokens[number], item.tokens[-1]
    amount = f"{format_tokens(tokens, exact=item.exact)} tokens"
    if section:
        return f"{amount} · {100 * tokens / whole:.0f} % of the document" if whole else amount
    window = item.window.tokens
    return f"{amount} · {name}" + (f" · {format_window(tokens, window)}" if window else "")

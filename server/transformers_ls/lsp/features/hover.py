"""`textDocument/hover`: the tokens of the region under the cursor and of the document."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from lsprotocol import types

from transformers_ls.errors import TransformersLsError
from transformers_ls.lsp.counting import (
    Counted,
    Counting,
    display_name,
    format_tokens,
    format_window,
)
from transformers_ls.lsp.documents import from_lsp_position, to_lsp_range
from transformers_ls.lsp.features.template_words import hover_on_word
from transformers_ls.lsp.markdown import escape
from transformers_ls.text.document import Document
from transformers_ls.text.snapshot import Slice, Snapshot

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer
    from transformers_ls.text.regions import Region

# A hover is a glance; the whole prompt is what the preview is for.
_PROMPT_CHARACTERS = 1500
# The first render starts the sandbox, which takes about a second; a hover does not wait for more.
_PROMPT_SECONDS = 3.0


def register(server: TransformersServer) -> None:
    """Add the hover handler."""

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def on_hover(params: types.HoverParams) -> types.Hover | None:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return None
        settings = server.configuration.for_uri(document.uri)
        if not settings.hover.enabled:
            return None
        encoding = server.documents.encoding
        offset = document.snapshot.offset_at(from_lsp_position(params.position), encoding)
        if (word := await hover_on_word(server, document, offset)) is not None:
            return word
        windows = settings.context_windows
        models = settings.tokenizers
        region = await server.analyses.region_at(document, offset)
        token = None
        if settings.hover.token:
            # The server's start does not wait for what only a hover needs.
            from transformers_ls.lsp.token_at import TokenAt

            token = TokenAt(server, document, region, offset)
        texts: list[str | Slice | Snapshot] = [document.snapshot]
        if region is not None:
            texts.append(region.body)
        counting = Counting(server, models, texts, windows=windows, token=token)
        # While the processes count.
        span = None
        if region is not None:
            span = to_lsp_range(document.snapshot, region.start, region.end, encoding)
        counted = await counting.counted()
        line = await token.line() if token is not None else ""
        parts = [_title(region), line, _table(counted, region)]
        parts += _notes(counted, region)
        if region is not None and (
            region.kind == "message" or await _in_transcript(server, document, region, offset)
        ):
            parts.append(await _prompt(server, document, offset))
        text = "\n\n".join(filter(None, parts))
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), span)


async def _in_transcript(
    server: TransformersServer, document: Document, region: Region, offset: int
) -> bool:
    """Whether a section of Markdown is a message: its heading is a role."""
    from transformers_ls.text.transcript import is_role

    # Chats are looked for in the whole text, so only where there may be one.
    if region.kind != "section" or not is_role(region.label):
        return False
    chats = await server.chats.find(document)
    return any(chat.start <= offset <= chat.end for chat in chats)


def _title(region: Region | None) -> str:
    if region is None:
        return "**document**"
    label = f" · {escape(region.label)}" if region.label else ""
    return f"**{region.kind}**{label}"


def _table(counted: list[Counted], region: Region | None) -> str:
    here = region is not None
    rows = [
        f"| tokenizer |{' here |' if here else ''} document | context window |",
        f"| :-- |{' --: |' if here else ''} --: | :-- |",
    ]
    for item in counted:
        name = escape(display_name(item.model))
        if not item.ready:
            rows.append(f"| {name} |{' … |' if here else ''} … | {escape(_state(item))} |")
            continue
        cells = [format_tokens(item.tokens[0], exact=item.exact)]
        if region is not None:
            cells.insert(0, format_tokens(item.tokens[1], exact=item.exact and region.exact))
        share = format_window(item.tokens[0], item.window.tokens)
        rows.append(f"| {name} | {' | '.join(cells)} | {share} |")
    return "\n".join(rows)


def _state(item: Counted) -> str:
    if item.entry.state == "loading":
        return "loading the tokenizer…"
    return item.entry.message


def _notes(counted: list[Counted], region: Region | None) -> list[str]:
    notes = []
    for item in counted:
        counter = item.entry.counter
        if counter is None:
            continue
        name = escape(display_name(item.model))
        if counter.added_tokens:
            notes.append(f"{name} adds {counter.added_tokens} around a text (BOS, EOS).")
        if not counter.exact:
            notes.append(f"{name}: ≈ since {escape(counter.reason)}")
        if item.window.tokens:
            notes.append(f"{name}: window from {escape(item.window.source)}.")
        else:
            setting = "`transformers.contextWindows`"
            notes.append(f"{name}: its files tell no context window; {setting} can.")
    if region is not None and not region.exact:
        notes.append("≈ here: the text has parts that are only known when the program runs.")
    return ["  \n".join(notes)] if notes else []


async def _prompt(server: TransformersServer, document: Document, offset: int) -> str:
    try:
        chat = await asyncio.wait_for(server.chats.render(document, offset), _PROMPT_SECONDS)
    except TransformersLsError as error:
        return f"*{escape(str(error))}*"
    except TimeoutError:
        return ""
    from transformers_ls.lsp.templated import rendered_message

    text = rendered_message(chat, offset) or chat.text
    if len(text) > _PROMPT_CHARACTERS:
        text = f"{text[:_PROMPT_CHARACTERS]}\n…"
    # The fence is longer than any run of backticks inside, so that the prompt stays plain text.
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    source = escape(f"{display_name(chat.model)} · {chat.template.origin}")
    return f"What the model sees ({source}):\n{fence}text\n{text}\n{fence}"

"""`transformers/count`: exact counts of ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers_ls.lsp.counting import Counted, count_texts
from transformers_ls.lsp.documents import from_lsp_range
from transformers_ls.lsp.messages import COUNT, CountParams, CountResult, ModelCounts
from transformers_ls.text.snapshot import Slice, Snapshot

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer


def register(server: TransformersServer) -> None:
    """Add the handler of `transformers/count`."""

    @server.feature(COUNT)
    async def on_count(params: CountParams) -> CountResult:
        document = server.document(params.text_document.uri)
        snapshot, encoding = document.snapshot, server.documents.encoding
        texts: list[str | Slice | Snapshot] = [
            Slice(
                snapshot,
                snapshot.offset_at(span.start, encoding),
                snapshot.offset_at(span.end, encoding),
            )
            for span in map(from_lsp_range, params.ranges)
        ] or [snapshot]
        settings = server.configuration.for_uri(document.uri)
        counted = await count_texts(
            server, settings.tokenizers, texts, windows=settings.context_windows
        )
        return CountResult(document.version or 0, [_counts(item) for item in counted])


def _counts(item: Counted) -> ModelCounts:
    entry = item.entry
    reason = entry.counter.reason if entry.counter else ""
    return ModelCounts(
        model=item.model,
        state=entry.state,
        tokens=list(item.tokens),
        exact=item.exact,
        message=entry.message or reason or None,
        window=item.window.tokens,
        window_source=item.window.source,
    )

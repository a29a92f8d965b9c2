"""The custom messages of `server/LSP_EXTENSIONS.md`, as typed values.

Attributes are snake_case here and camelCase on the wire; lsprotocol's converter does it. Annotations
must be real objects at run time, which is why this module does not postpone their evaluation.

Starting waits for these classes to be made, so they get no method that nobody calls: no slots, no
`eq`, no `repr`. Without a `repr` they also cannot carry the user's text into a log.
"""

from typing import Any, Union

import attrs
from lsprotocol import types

from transformers_ls.lsp.run_messages import (
    CANCEL,
    RUN,
    TASKS,
    CancelParams,
    RunParams,
    TasksParams,
)

__all__ = [
    "METHODS",
    "BoundariesParams",
    "BoundariesResult",
    "CountParams",
    "CountResult",
    "EngineInfo",
    "FolderParams",
    "FolderReport",
    "InstallParams",
    "MessageInfo",
    "ModelCounts",
    "PartInfo",
    "RenderParams",
    "RenderResult",
    "Status",
    "TokenizerInfo",
    "TrainedInfo",
]

COUNT = "transformers/count"
BOUNDARIES = "transformers/boundaries"
RENDER = "transformers/render"
STATUS = "transformers/status"

PROMPT_SCHEME = "transformers-prompt"
"""The scheme of rendered prompts as virtual documents."""

_Id = Union[int, str]  # noqa: UP007 - lsprotocol's converter knows this form.


@attrs.define(slots=False, eq=False, repr=False)
class CountParams:
    """Ranges to count; none means the whole document."""

    text_document: types.TextDocumentIdentifier
    ranges: list[types.Range] = attrs.field(factory=list)


@attrs.define(slots=False, eq=False, repr=False)
class ModelCounts:
    """The counts of one tokenizer."""

    model: str
    state: str
    tokens: list[int]
    exact: bool
    message: str | None = None
    window: int | None = None
    window_source: str | None = None


@attrs.define(slots=False, eq=False, repr=False)
class CountResult:
    """Counts for each configured tokenizer."""

    version: int
    models: list[ModelCounts]


@attrs.define(slots=False, eq=False, repr=False)
class BoundariesParams:
    """Where to show the tokens, of which model, and how many at most."""

    text_document: types.TextDocumentIdentifier
    range: types.Range
    model: str | None = None
    limit: int = 2000


@attrs.define(slots=False, eq=False, repr=False)
class BoundariesResult:
    """The tokens of a range; seven numbers in `data` for each string in `tokens`."""

    version: int
    model: str
    state: str
    exact: bool
    truncated: bool
    data: list[int]
    tokens: list[str]
    message: str | None = None


@attrs.define(slots=False, eq=False, repr=False)
class RenderParams:
    """Which chat to render, and how where the chat itself does not say."""

    text_document: types.TextDocumentIdentifier
    position: types.Position | None = None
    model: str | None = None
    add_generation_prompt: bool = True
    template_name: str | None = None
    tools: Any = None
    kwargs: Any = None
    sample: str | None = None
    details: bool = True


@attrs.define(slots=False, eq=False, repr=False)
class PartInfo:
    """A part of a rendered prompt, in UTF-16 offsets."""

    start: int
    end: int
    tokens: int
    exact: bool


@attrs.define(slots=False, eq=False, repr=False)
class MessageInfo:
    """One message of a rendered chat: its part of the prompt, and its place in the document."""

    role: str
    range: types.Range
    content_range: types.Range
    tokens: int | None = None
    exact: bool | None = None
    content_tokens: int | None = None
    start: int | None = None
    end: int | None = None
    content: list[int] | None = None


@attrs.define(slots=False, eq=False, repr=False)
class TrainedInfo:
    """What of a prompt a model is trained to say, in UTF-16 offsets, and how that is known."""

    spans: list[list[int]]
    tokens: int
    source: str


@attrs.define(slots=False, eq=False, repr=False)
class RenderResult:
    """The prompt the model sees."""

    version: int
    model: str
    template_source: str
    template_name: str
    templates: list[str]
    variables: list[str]
    text: str
    specials: list[list[int]]
    messages: list[MessageInfo]
    range: types.Range
    tool_count: int
    exact: bool
    tokens: int | None = None
    window: int | None = None
    window_source: str | None = None
    around: list[PartInfo] | None = None
    overhead: int | None = None
    trained: TrainedInfo | None = None
    sample: str | None = None
    samples: list[str] | None = None


@attrs.define(slots=False, eq=False, repr=False)
class TokenizerInfo:
    """The state of one configured tokenizer."""

    model: str
    state: str
    message: str | None = None


@attrs.define(slots=False, eq=False, repr=False)
class EngineInfo:
    """The state of the engine."""

    kind: str
    state: str
    runs: list[str]
    pid: int | None = None
    device: str | None = None
    dtype: str | None = None
    model: str | None = None


@attrs.define(slots=False, eq=False, repr=False)
class Status:
    """The server's state in one value."""

    state: str
    message: str
    tokenizers: list[TokenizerInfo]
    engine: EngineInfo


@attrs.define(slots=False, eq=False, repr=False)
class FolderParams:
    """Which folder to count."""

    uri: str


@attrs.define(slots=False, eq=False, repr=False)
class FolderReport:
    """The tokens of a folder's files, as they are on disk."""

    markdown: str
    files: int
    tokens: dict[str, int]
    """By model."""


@attrs.define(slots=False, eq=False, repr=False)
class InstallParams:
    """Which embedded model to install."""

    model: str
    accept_license: bool = False


def _request(name: str, params: Any) -> type:
    """Build the envelope of a request whose params have the given type."""
    return attrs.make_class(
        name,
        {
            "id": attrs.field(type=_Id),  # type: ignore[call-overload]
            "method": attrs.field(type=str),
            "params": attrs.field(type=params),
            "jsonrpc": attrs.field(type=str, default="2.0"),
        },
        slots=False,
        eq=False,
        repr=False,
    )


METHODS: dict[str, type] = {
    RUN: _request("RunRequest", RunParams),
    TASKS: _request("TasksRequest", TasksParams),
    CANCEL: _request("CancelRequest", CancelParams),
    COUNT: _request("CountRequest", CountParams),
    BOUNDARIES: _request("BoundariesRequest", BoundariesParams),
    RENDER: _request("RenderRequest", RenderParams),
}
"""The envelope that each custom request is read into."""

"""The custom messages of `server/LSP_EXTENSIONS.md`, as typed values.

Attributes are snake_case here and camelCase on the wire; lsprotocol's converter does it. Annotations
must be real objects at run time, which is why this module does not postpone their evaluation.

Starting waits for these classes to be made, so they get no method that nobody calls: no slots, no
`eq`, no `repr`. Without a `repr` they also cannot carry the user's text into a log.
"""

from typing import Any, Union

import attrs
from lsprotocol import types

__all__ = [
    "METHODS",
    "BoundariesParams",
    "BoundariesResult",
    "CancelParams",
    "CancelResult",
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
    "RunDelta",
    "RunFactsInfo",
    "RunParams",
    "RunResult",
    "RunStage",
    "RunStarted",
    "Status",
    "TaskInfo",
    "TasksParams",
    "TasksResult",
    "TokenizerInfo",
    "TrainedInfo",
]

RUN = "transformers/run"
TASKS = "transformers/tasks"
RUN_DELTA = "transformers/run/delta"
RUN_STAGE = "transformers/run/stage"
CANCEL = "transformers/cancel"
COUNT = "transformers/count"
BOUNDARIES = "transformers/boundaries"
RENDER = "transformers/render"
STATUS = "transformers/status"

PROMPT_SCHEME = "transformers-prompt"
"""The scheme of rendered prompts as virtual documents."""

_Id = Union[int, str]  # noqa: UP007 - lsprotocol's converter knows this form.


@attrs.define(slots=False, eq=False, repr=False)
class TasksParams:
    """Which tasks are there for a document?"""

    text_document: types.TextDocumentIdentifier


@attrs.define(slots=False, eq=False, repr=False)
class TaskInfo:
    """One task, for a list to choose from."""

    id: str
    title: str
    description: str
    needs_language: bool


@attrs.define(slots=False, eq=False, repr=False)
class TasksResult:
    """The tasks for a document, the built-in ones first."""

    tasks: list[TaskInfo]
    problems: list[str]
    """Which task files cannot be used, and why."""


@attrs.define(slots=False, eq=False, repr=False)
class RunParams:
    """A task on a range of a document."""

    task: str
    text_document: types.VersionedTextDocumentIdentifier | types.TextDocumentIdentifier
    range: types.Range
    run_id: str | None = None
    target_language: str | None = None
    model: str | None = None


@attrs.define(slots=False, eq=False, repr=False)
class RunFactsInfo:
    """What a run took; times in seconds."""

    model: str
    destination: str
    prompt_tokens: int
    completion_tokens: int
    time_to_first_token: float
    seconds: float
    tokens_per_second: float
    finish_reason: str
    parts: int = 1
    kept: int = 0


@attrs.define(slots=False, eq=False, repr=False)
class RunResult:
    """The text of a run, and the edit that puts it in the document."""

    run_id: str
    text: str
    edit: types.WorkspaceEdit
    facts: RunFactsInfo
    conflict: str | None = None
    """Why `edit` is empty: the document was closed, or the selection edited, during the run."""


@attrs.define(slots=False, eq=False, repr=False)
class RunStarted:
    """The answer of the command `transformers.run`."""

    run_id: str


@attrs.define(slots=False, eq=False, repr=False)
class RunDelta:
    """More text of a run."""

    run_id: str
    seq: int
    text: str


@attrs.define(slots=False, eq=False, repr=False)
class RunStage:
    """What a run waits for."""

    run_id: str
    stage: str
    message: str
    percent: int | None = None


@attrs.define(slots=False, eq=False, repr=False)
class CancelParams:
    """Which run to stop."""

    run_id: str


@attrs.define(slots=False, eq=False, repr=False)
class CancelResult:
    """Whether there was such a run."""

    cancelled: bool


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

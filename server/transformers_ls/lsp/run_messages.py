"""The custom messages of runs, as typed values; see `messages`, which explains their form."""

import attrs
from lsprotocol import types

__all__ = [
    "CANCEL",
    "RESULT_SCHEME",
    "RUN",
    "RUN_DELTA",
    "RUN_STAGE",
    "TASKS",
    "CancelParams",
    "CancelResult",
    "HighlightInfo",
    "ResultDocument",
    "RunDelta",
    "RunFactsInfo",
    "RunParams",
    "RunResult",
    "RunStage",
    "RunStarted",
    "TaskInfo",
    "TasksParams",
    "TasksResult",
]

RUN = "transformers/run"
TASKS = "transformers/tasks"
RUN_DELTA = "transformers/run/delta"
RUN_STAGE = "transformers/run/stage"
CANCEL = "transformers/cancel"
RESULT_SCHEME = "transformers-result"
"""The scheme of the results of tasks as virtual documents."""


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
    result: str
    """"edit" or "answer"."""
    asks: list[str]


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
    question: str | None = None
    labels: list[str] | None = None
    other_range: types.Range | None = None


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
    device: str | None = None
    dtype: str | None = None
    memory_bytes: int | None = None
    load_seconds: float | None = None
    reused_tokens: int | None = None
    accepted_tokens: int | None = None


@attrs.define(slots=False, eq=False, repr=False)
class ResultDocument:
    """Something to read, as Markdown in which all that came from a model is escaped."""

    title: str
    markdown: str


@attrs.define(slots=False, eq=False, repr=False)
class HighlightInfo:
    """A place in the document that a model said something of."""

    range: types.Range
    label: str
    message: str
    score: float | None = None


@attrs.define(slots=False, eq=False, repr=False)
class RunResult:
    """The text of a run, and the edit that puts it in the document."""

    run_id: str
    text: str
    edit: types.WorkspaceEdit
    facts: RunFactsInfo
    conflict: str | None = None
    """Why `edit` is empty: the document was closed, or the selection edited, during the run."""
    document: ResultDocument | None = None
    highlights: list[HighlightInfo] | None = None
    version: int | None = None
    """The version of the document that `highlights` are places of."""


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
    done_bytes: int | None = None
    total_bytes: int | None = None


@attrs.define(slots=False, eq=False, repr=False)
class CancelParams:
    """Which run to stop."""

    run_id: str


@attrs.define(slots=False, eq=False, repr=False)
class CancelResult:
    """Whether there was such a run."""

    cancelled: bool

"""What the front process and the worker say to each other: the only module they share.

A frame is one JSON object on one line, in ASCII. JSON never holds a bare newline, so a reader that
meets a broken frame finds the next good one behind the next newline; a length prefix that was once
wrong would lose everything after it. Lines can also be read by people and written by any tool.
The cost is a few microseconds a token, far below one decode step.

```
front                                     worker
  │ ── Hello(wire) ────────────────────────► │
  │ ◄─────────────── Ready(versions, device) │
  │ ── Generate(run_id, folder, prompt …) ─► │   runs take turns, so that a short one need not
  │ ── Infer(run_id, folder, task …) ──────► │   wait for a long one
  │ ◄────────────────── Stage(run_id, …) *   │   loading 10 %, loading 60 % …
  │ ◄────────────────── Delta(run_id, …) *   │
  │ ◄───────────────── RowEnd(run_id, …) *   │   one for each prompt of a batch
  │ ◄───────────────── Output(run_id, …) *   │   one or more for each text of an `Infer`
  │ ── Abort(run_id) ──────────────────────► │   any time, also for a run that waits
  │ ◄── Done(run_id, …) or Failed(run_id, …) │   exactly one of them ends each run
  │ ── Shutdown ───────────────────────────► │   or the end of its standard input
```

Every `Generate` and `Infer` is answered by exactly one `Done` or `Failed` with its run id, an aborted one by
`Done` with the finish reason `"abort"`: the front knows from it that the compute has ended.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

__all__ = [
    "MAX_FRAME_BYTES",
    "WIRE_VERSION",
    "Abort",
    "BrokenFrameError",
    "Delta",
    "Done",
    "Failed",
    "FailureCode",
    "FinishReason",
    "FromWorker",
    "Generate",
    "Hello",
    "Infer",
    "InferTask",
    "Output",
    "Ready",
    "RowEnd",
    "Shutdown",
    "Stage",
    "ToWorker",
    "decode",
    "encode",
]

WIRE_VERSION = 3
"""Raised with every change that an older peer would misread; both sides must have the same."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""A longer line is not read: it is a broken peer, not a prompt."""

FinishReason = Literal["eos", "length", "stop", "abort"]
"""Why a run ended: an end token, the token limit, a stop string, or the user."""

FailureCode = Literal[
    "protocol",
    "packages-missing",
    "model-not-found",
    "model-broken",
    "language-unknown",
    "model-unfit",
    "weights-refused",
    "text-unfit",
    "prompt-too-long",
    "out-of-memory",
    "internal",
]
"""What kind of failure it was; the front chooses its exception by it."""


InferTask = Literal[
    "text-classification",
    "zero-shot-classification",
    "token-classification",
    "question-answering",
    "fill-mask",
    "feature-extraction",
]
"""What a model can say of a text without writing one; the names are the Hub's."""


class BrokenFrameError(ValueError):
    """A line that is not a frame. Its text says what was wrong without quoting the line."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Front to worker, first frame: which wire it speaks."""

    kind: ClassVar[str] = "hello"
    wire_version: int = WIRE_VERSION


@dataclass(frozen=True, slots=True)
class Generate:
    """Front to worker: continue `prompt` with a model. The answer streams back under `run_id`."""

    kind: ClassVar[str] = "generate"
    run_id: str
    model: str
    """Absolute path of the model's folder, or of a `.gguf` file."""
    prompt: str
    """The text as the model sees it; the front has rendered a chat with its template already."""
    add_special_tokens: bool = True
    """False for a rendered chat, whose special tokens are in the text."""
    max_new_tokens: int = 256
    temperature: float | None = None
    """None or 0: greedy decoding, so that equal input gives equal output."""
    seed: int | None = None
    """Seed of the sampling; None draws a new one."""
    stop: tuple[str, ...] = ()
    """Strings that end the run; what is streamed ends before the first of them."""
    repetition_penalty: float | None = None
    """Divides the scores of tokens that are in the text already; 1 or None changes nothing
    (Keskar et al. 2019, https://arxiv.org/abs/1909.05858)."""
    source_language: str = ""
    """The language of the prompts, by name or code; only for models that have language codes."""
    target_language: str = ""
    """The language of the answers, by name or code; only for models that have language codes."""
    others: tuple[str, ...] = ()
    """More prompts, computed beside the first one as the rows 1, 2 … of a batch."""

    adapter: str = ""
    """Absolute path of a PEFT adapter's folder, put on the model; empty for none."""
    repeats_prompt: bool = False
    """Whether much of the answer will likely stand in the prompt (an edit, a correction): then
    tokens are drafted from it, which changes no greedy answer but by rounding."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """All prompts, by their rows."""
        return (self.prompt, *self.others)


@dataclass(frozen=True, slots=True)
class Infer:
    """Front to worker: say something of texts.

    A text may be longer than the model's window: it is read by windows that overlap, and what they
    say is put together. Places in a text are counted in code points.
    """

    kind: ClassVar[str] = "infer"
    run_id: str
    model: str
    """Absolute path of the model's folder. For `zero-shot-classification` it may be one that
    generates text, also a `.gguf` file: then the likelihood of each label decides."""
    task: InferTask
    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()
    """What to choose from, for `zero-shot-classification`; what may fill a mask, if not empty."""
    multi_label: bool = False
    """Whether several labels may be true: each is then scored by itself."""
    hypothesis: str = ""
    """The sentence that holds a label at `{}`, for `zero-shot-classification`; empty for the
    model's default."""
    question: str = ""
    """For `question-answering`, whose texts are the contexts."""
    top_k: int | None = None
    """How many answers to a text at most; None for the task's own number."""
    adapter: str = ""
    """Absolute path of a PEFT adapter's folder, put on the model; empty for none."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Front to worker: end this run now. Unknown and ended runs are ignored: the two may cross."""

    kind: ClassVar[str] = "abort"
    run_id: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Front to worker: abort all runs and exit."""

    kind: ClassVar[str] = "shutdown"


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to front, answer to `Hello`: it can take runs. Says what it runs on."""

    kind: ClassVar[str] = "ready"
    wire_version: int
    python: str
    torch: str
    transformers: str
    device: str
    """torch's name of the device: `cpu`, `cuda:0`, `mps`, `xpu:0`."""
    dtype: str
    """What weights are loaded as: `bfloat16`, `float16`, `float32`."""
    pid: int = 0
    memory_bytes: int | None = None
    """How much memory the device has in all; None when it does not say."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Worker to front: what the run does before its first token."""

    kind: ClassVar[str] = "stage"
    run_id: str
    name: Literal["loading", "running"]
    message: str
    percent: int | None = None
    done_bytes: int | None = None
    """How much of the weights is loaded; None where the stage has nothing to do with bytes."""
    total_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """Worker to front: the next piece of text. All pieces joined are the whole answer."""

    kind: ClassVar[str] = "delta"
    run_id: str
    text: str
    tokens: int
    """How many tokens were generated so far; a piece may hold several, or a part of none."""
    row: int = 0
    """Which prompt of a batch it answers."""


@dataclass(frozen=True, slots=True)
class RowEnd:
    """Worker to front: one prompt of a batch is answered; the others may still be computed."""

    kind: ClassVar[str] = "row_end"
    run_id: str
    row: int
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Output:
    """Worker to front: what was found about one text of an `Infer`; a long list comes in parts."""

    kind: ClassVar[str] = "output"
    run_id: str
    row: int
    value: Any
    """JSON, in the form that huggingface_hub's typed output of the task is parsed from."""


@dataclass(frozen=True, slots=True)
class Done:
    """Worker to front: the run ended as it should, and no longer computes.

    For a batch the tokens are the sums of its rows, and one row that was cut makes it `"length"`.
    """

    kind: ClassVar[str] = "done"
    run_id: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    time_to_first_token: float | None
    """Seconds from the start of the run, loading included, to its first token; None without one."""
    seconds: float
    """Seconds from the start of the run to its end."""
    device: str
    dtype: str
    load_seconds: float = 0.0
    """How much of `seconds` went into loading the model; 0 when it was there."""
    seed: int | None = None
    """The seed that was used; None for greedy decoding."""
    memory_bytes: int | None = None
    """The most memory that the device gave to this worker so far; None when it does not say."""
    reused_tokens: int = 0
    """How many of the prompt tokens were not computed anew: an earlier prompt began with them."""
    accepted_tokens: int = 0
    """How many of the completion tokens were drafted from the prompt and found right."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Worker to front: the run could not be done. An empty run id speaks of the worker itself."""

    kind: ClassVar[str] = "failed"
    run_id: str
    code: FailureCode
    message: str
    hint: str = ""


ToWorker: TypeAlias = Hello | Generate | Infer | Abort | Shutdown
FromWorker: TypeAlias = Ready | Stage | Delta | RowEnd | Output | Done | Failed

_KINDS: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        *(Hello, Generate, Infer, Abort, Shutdown),
        *(Ready, Stage, Delta, RowEnd, Output, Done, Failed),
    )
}
# How a JSON value is recognized for each annotation that occurs above; they are strings because
# annotations are not evaluated. bool is an int in Python, so it is told apart by hand.
_CHECKS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
}


def encode(message: ToWorker | FromWorker) -> bytes:
    """Return the frame of a message, its newline included."""
    body = {field.name: getattr(message, field.name) for field in fields(message)}
    return json.dumps({"kind": message.kind, **body}, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> ToWorker | FromWorker:
    """Read one frame.

    Fields that this side does not know are ignored, so that a peer may add some.

    Raises:
        BrokenFrameError: The line is not JSON, of no known kind, or lacks a field.
    """
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenFrameError(f"not JSON ({len(line)} bytes)") from error
    if not isinstance(body, dict) or not isinstance(kind := body.get("kind"), str):
        raise BrokenFrameError("not an object with a kind")
    if (cls := _KINDS.get(kind)) is None:
        raise BrokenFrameError("of an unknown kind")
    values: dict[str, Any] = {}
    for field in fields(cls):
        if field.name not in body:
            if field.default is MISSING:
                raise BrokenFrameError(f"{kind} without {field.name}")
            continue
        values[field.name] = _checked(kind, field.name, str(field.type), body[field.name])
    message: ToWorker | FromWorker = cls(**values)
    return message


def _checked(kind: str, name: str, annotation: str, value: Any) -> Any:
    if annotation == "tuple[str, ...]":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise BrokenFrameError(f"{kind}.{name} is not a list of strings")
    if annotation == "Any":
        return value
    allowed = _CHECKS.get(annotation, (str,))
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise BrokenFrameError(f"{kind}.{name} has the wrong type")
    return value

"""Every error that users can meet, as one small tree.

```
TransformersLsError            a message that says what happened, and a hint that says what to do
├── UsageError                 the request itself is off: empty selection, unknown task, bad argument
├── ModelError                 a model, tokenizer or template that cannot be used
│   ├── ModelNotFoundError     nothing here answers to that name (and the network may not be asked)
│   └── ModelBrokenError       it is there, but its files cannot be read
├── TemplateError              rendering a chat template failed
│   ├── TemplateRaisedError    the template itself refused (`raise_exception`, undefined value …)
│   └── TemplateLimitError     it broke a limit on time, memory or output, and was killed
├── EngineError                a run could not be done
│   ├── EngineUnavailableError the worker cannot start: packages missing, interpreter broken
│   ├── EngineDiedError        the worker ended in the middle of a run
│   └── RunCancelledError      the user stopped the run
└── NetworkError               the Hub or a remote engine did not answer
```
"""

from __future__ import annotations


class TransformersLsError(Exception):
    """Base of all errors that are shown to users.

    Args:
        message: One sentence that says what happened, without the user's text in it.
        hint: One sentence that says what to do about it; empty when nothing can be done.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(TransformersLsError):
    """The request is off: an empty selection, an unknown task, a bad argument."""

    code = "usage"


class ModelError(TransformersLsError):
    """A model, tokenizer or template that cannot be used."""

    code = "model"


class ModelNotFoundError(ModelError):
    """No model on this machine answers to the name, and the network was not asked or did not know."""

    code = "model-not-found"


class ModelBrokenError(ModelError):
    """The model is here, but its files cannot be read."""

    code = "model-broken"


class TemplateError(TransformersLsError):
    """Rendering a chat template failed."""

    code = "template"


class TemplateRaisedError(TemplateError):
    """The template itself refused the messages."""

    code = "template-raised"


class TemplateLimitError(TemplateError):
    """The template broke a limit on time, memory or output, and its process was killed."""

    code = "template-limit"


class EngineError(TransformersLsError):
    """A run could not be done."""

    code = "engine"


class EngineUnavailableError(EngineError):
    """The worker cannot start: packages are missing, or the interpreter is broken."""

    code = "engine-unavailable"


class EngineDiedError(EngineError):
    """The worker ended in the middle of a run."""

    code = "engine-died"


class RunCancelledError(EngineError):
    """The user stopped the run."""

    code = "cancelled"


class NetworkError(TransformersLsError):
    """The Hub or a remote engine did not answer."""

    code = "network"


def describe(exc: BaseException) -> str:
    """Say where an unexpected error came from, without its message.

    Messages of foreign exceptions may quote the user's text (a decode error quotes its input), and
    that must not reach a log.
    """
    frames = []
    trace = exc.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(exc).__name__} at {' > '.join(frames)}"

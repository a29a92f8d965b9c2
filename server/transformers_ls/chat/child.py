"""The rendering process: `python -m transformers_ls.chat.child LIMITS`.

It renders with the installed transformers' own `apply_chat_template`, one request after the other,
and never imports torch. It ends when its standard input does; a render that runs on is ended by the
front, and without a front by an alarm.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final

from transformers_ls.chat import frames
from transformers_ls.chat.limits import Limits, clear_alarm, enter_jail, set_alarm
from transformers_ls.chat.nursery import can_fork, raise_renderers
from transformers_ls.chat.studies import describe_refusal, parts, study

_GROUP_SECONDS: Final = 0.02
_GROUP_CHARS: Final = 1 << 18
"""Answers to several requests wait for each other so long, or until they are so many characters."""
_MAX_REASON: Final = 2_000
_MAX_SPANS: Final = 100_000

Json = dict[str, Any]


class _Tokenizer:
    """As much of a tokenizer as `apply_chat_template` asks for when it does not tokenize."""

    def __init__(self, special_tokens: Mapping[str, str]) -> None:
        self.special_tokens_map = dict(special_tokens)

    def get_chat_template(self, template: str, tools: object = None) -> str:  # noqa: ARG002
        return template


class Renderer:
    """transformers' renderer, imported once."""

    def __init__(self) -> None:
        from transformers.tokenization_utils_base import PreTrainedTokenizerBase
        from transformers.utils import chat_template_utils

        self._apply = PreTrainedTokenizerBase.apply_chat_template
        self._utils = chat_template_utils
        self._real_clock: dict[str, Callable[[str], str]] = {}

    def text(self, request: Json, messages: list[Any] | None = None) -> str:
        """Render as `tokenizer.apply_chat_template(messages, tokenize=False)` does."""
        self._set_clock(request)
        rendered = self._apply(
            _Tokenizer(request["special_tokens"]),
            request["messages"] if messages is None else messages,
            chat_template=request["template"],
            tools=request["tools"],
            add_generation_prompt=request["add_generation_prompt"],
            tokenize=False,
            **request["kwargs"],
        )
        return str(rendered)

    def generation_spans(self, request: Json) -> list[tuple[int, int]]:
        """Return the spans that the template marks with `{% generation %}`."""
        messages = [
            {key: value for key, value in message.items() if value is not None}
            for message in request["messages"]
        ]
        _, spans = self._utils.render_jinja_template(
            [messages],
            chat_template=request["template"],
            tools=request["tools"],
            add_generation_prompt=request["add_generation_prompt"],
            return_assistant_tokens_mask=True,
            **{**request["special_tokens"], **request["kwargs"]},
        )
        return [(int(start), int(end)) for start, end in spans[0][:_MAX_SPANS]]

    def variables(self, source: str) -> list[str]:
        """Return the names that a template reads from outside of it, in order."""
        from jinja2 import meta

        # Not in the front: jinja computes constant expressions of the template for this.
        environment = self._utils._compile_jinja_template(source).environment  # noqa: SLF001
        names = meta.find_undeclared_variables(environment.parse(source))
        return sorted(names - environment.globals.keys())

    def _set_clock(self, request: Json) -> None:
        """Let `strftime_now` tell the pinned time, or the real one again."""
        pinned = request.get("now")
        source = request["template"]
        if pinned is None and source not in self._real_clock:
            return
        names = self._utils._compile_jinja_template(source).globals  # noqa: SLF001
        real = self._real_clock.setdefault(source, names["strftime_now"])
        names["strftime_now"] = datetime.fromisoformat(pinned).strftime if pinned else real

    def warm_up(self) -> None:
        """Make jinja import what it imports late, while files still open."""
        request: Json = {
            "messages": [{"role": "user", "content": "a b"}],
            "special_tokens": {},
            "tools": None,
            "add_generation_prompt": True,
            "kwargs": {},
            "id": 0,
        }
        for template in _WARM_UP:
            answer(self, {**request, "template": template}, Limits())
        for want in ("variables", "study"):
            answer(self, {**request, "template": "{{ a }}", "want": want}, Limits())


_WARM_UP: Final = (
    (
        "{% generation %}{{ lipsum(n=1) }}{% endgeneration %}{{ strftime_now('%A %d %B %Y %z %c') }}"
        "{{ messages | pprint }}{{ messages | tojson(indent=1) }}{{ [1, 2] | random }}"
        "{{ 'a b' | wordwrap(1) }}{{ '<b>&amp;' | striptags | escape }}{{ 'a.com' | urlize }}"
        "{{ 'a' | urlencode }}{{ '%s' | format(1) }}{{ '{}'.format(1) }}{{ {'a': 1} | xmlattr }}"
    ),
    "{% if %}",
    "{{ raise_exception('no') }}",
    "{{ nothing.at.all }}",
    "{{ messages.append(1) }}",
    "{% include 'other' %}",
)


def answer(renderer: Renderer, request: Json, limits: Limits) -> Json:
    """Render one request; a failure is an answer too."""
    try:
        if request.get("want") == "study":
            return {"id": request["id"], **study(renderer, request, limits.output_chars)}
        if request.get("want") == "cuts":
            return {"id": request["id"], **parts(renderer, request)}
        if request.get("want") == "variables":
            return {"id": request["id"], "variables": renderer.variables(request["template"])}
        text = renderer.text(request)
        if len(text) > limits.output_chars:
            return {"id": request["id"], "limit": "output"}
        spans = renderer.generation_spans(request) if request.get("want") == "spans" else []
        return {"id": request["id"], "text": text, "spans": spans}
    except MemoryError:
        return {"id": request["id"], "limit": "memory"}
    except RecursionError:
        return {"id": request["id"], "limit": "recursion"}
    except Exception as error:  # noqa: BLE001 - a template can raise anything Python can.
        return {"id": request["id"], "raised": describe_refusal(error)}


def _serve(renderer: Renderer, limits: Limits, requests: BinaryIO, answers: BinaryIO) -> None:
    while header := requests.read(frames.HEADER_BYTES):
        shared = frames.decode(requests.read(frames.length_of(header)))
        waiting: list[Json] = []
        size, written = 0, time.monotonic()
        for job in shared.pop("jobs"):
            set_alarm(limits)
            reply = answer(renderer, {**shared, **job}, limits)
            waiting.append(reply)
            size += len(reply.get("text") or "")
            late = time.monotonic() - written > _GROUP_SECONDS
            full = shared["careful"] or late or size > _GROUP_CHARS or "limit" in reply
            frame = _group(waiting) if full else b""
            clear_alarm()
            if full:
                answers.write(frame)
                answers.flush()
                waiting, size, written = [], 0, time.monotonic()
            if "limit" in reply:
                break  # The front replaces this process and asks the rest of the next one.
        if waiting:
            answers.write(_group(waiting))
            answers.flush()


def _group(replies: list[Json]) -> bytes:
    try:
        return frames.encode({"replies": replies})
    except MemoryError:
        return frames.encode({"replies": [{"id": replies[0]["id"], "limit": "memory"}]})


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for frames alone: what else prints or reads finds nothing there."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def main() -> None:
    """Serve until standard input ends."""
    requests, answers = _private_pipes()
    limits = Limits(**json.loads(sys.argv[1]))
    try:
        renderer = Renderer()
        renderer.warm_up()
    except Exception as error:  # noqa: BLE001 - a broken installation breaks in many ways.
        answers.write(frames.encode({"failed": f"{type(error).__name__}: {error}"[:_MAX_REASON]}))
        answers.flush()
        return

    def tell(frame: Any) -> None:
        answers.write(frames.encode(frame))
        answers.flush()

    if can_fork():
        raise_renderers(requests.fileno(), tell)
    tell({"ready": True, "pid": os.getpid()})
    enter_jail(limits)
    _serve(renderer, limits, requests, answers)


if __name__ == "__main__":
    main()

"""Chats that a template is shown with, one for each thing that templates do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from transformers_ls.chat.conversation import Conversation, Message

__all__ = ["SAMPLES", "sample_conversations"]

_SYSTEM: Final = {"role": "system", "content": "You are a helpful assistant."}
_QUESTION: Final = {"role": "user", "content": "What is the capital of France?"}
_ANSWER: Final = {"role": "assistant", "content": "The capital of France is Paris."}
_AGAIN: Final = {"role": "user", "content": "And of Italy?"}
_THOUGHT: Final = {
    "role": "assistant",
    "reasoning_content": "The user asks for a capital. Of France, that is Paris.",
    "content": "The capital of France is Paris.",
}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "The name of a city."},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["place"],
        },
    },
}
_CALL: Final = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            # Nine letters and digits, since Mistral's templates take no other ids.
            "id": "call00001",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"place": "Paris"}},
        }
    ],
}
_RESULT: Final = {
    "role": "tool",
    "name": "get_weather",
    "tool_call_id": "call00001",
    "content": '{"temperature": 21}',
}
_WEATHER: Final = {"role": "user", "content": "What is the weather in Paris?"}
_IMAGE: Final = {
    "role": "user",
    "content": [
        {"type": "image", "url": "https://example.com/tower.jpg"},
        {"type": "text", "text": "What is in this picture?"},
    ],
}

SAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "single turn": {"messages": (_QUESTION,)},
    "multi turn": {"messages": (_QUESTION, _ANSWER, _AGAIN)},
    "system": {"messages": (_SYSTEM, _QUESTION, _ANSWER, _AGAIN)},
    "tools": {
        "messages": (
            _WEATHER,
            _CALL,
            _RESULT,
            {"role": "assistant", "content": "It is 21 °C in Paris."},
            {"role": "user", "content": "And in Rome?"},
        ),
        "tools": (_TOOL,),
    },
    "reasoning": {
        "messages": (_QUESTION, _THOUGHT, _AGAIN),
        "kwargs": {"enable_thinking": True},
    },
    "images": {"messages": (_IMAGE,)},
    "documents": {
        "messages": (_QUESTION,),
        "kwargs": {
            "documents": [{"title": "France", "text": "Paris is the capital of France."}],
        },
    },
}
"""What `apply_chat_template` is called with, by the name that the user chooses."""


def sample_conversations(length: int) -> list[Conversation]:
    """Return the sample chats; their `label` is their name.

    They stand nowhere in the template, so each covers all of its `length` code points.
    """
    return [
        Conversation(
            messages=_messages(sample["messages"]),
            start=0,
            end=length,
            row_end=length,
            tools=list(sample["tools"]) if "tools" in sample else None,
            template_kwargs=sample.get("kwargs", {}),
            label=name,
        )
        for name, sample in SAMPLES.items()
    ]


def _messages(raw: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(
        Message(str(message["role"]), message["content"], 0, 0, 0, 0, message) for message in raw
    )

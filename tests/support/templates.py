"""Real chat templates, and chats that try everything a template may do with them."""

from __future__ import annotations

from typing import Any

from tests.support.llama_cpp_sdist import sdist_models_dir

SPECIAL_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
}
"""Templates come without their tokenizer here; any names do to compare two renders."""

_SYSTEM = {"role": "system", "content": "You are a terse harbour pilot."}
_USER = {"role": "user", "content": "Wind from the north, 25 knots. Do we sail? ⛵"}
_ASSISTANT = {"role": "assistant", "content": "  No. We wait for the tide.\n"}
_AGAIN = {"role": "user", "content": "And tomorrow?"}
_REASONED = {
    "role": "assistant",
    "content": "No.",
    "reasoning_content": "25 knots is too much for this boat.",
}
_THOUGHT = {"role": "assistant", "content": "<think>\nToo much wind.\n</think>\n\nNo."}
_TOOL = {
    "type": "function",
    "function": {
        "name": "forecast",
        "description": "The wind at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "A harbour."},
                "hours": {"type": "integer", "enum": [6, 12, 24]},
            },
            "required": ["place"],
        },
    },
}
_CALL = {
    "id": "abcdefghi",
    "type": "function",
    "function": {"name": "forecast", "arguments": {"place": "Brest", "hours": 12}},
}
_CALLING = {"role": "assistant", "content": "", "tool_calls": [_CALL]}
_CALLING_NULL = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
_RESULT = {
    "role": "tool",
    "name": "forecast",
    "tool_call_id": "abcdefghi",
    "content": '{"knots": 12}',
}
_PARTS = {
    "role": "user",
    "content": [{"type": "image", "image": "chart.png"}, {"type": "text", "text": "Where are we?"}],
}


def _chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


CHATS: dict[str, dict[str, Any]] = {
    "single turn": _chat(_USER),
    "multi turn": _chat(_USER, _ASSISTANT, _AGAIN, _ASSISTANT, _AGAIN),
    "system": _chat(_SYSTEM, _USER),
    "system, multi turn": _chat(_SYSTEM, _USER, _ASSISTANT, _AGAIN),
    "ends with the assistant": _chat(_USER, _ASSISTANT, add_generation_prompt=False),
    "two users in a row": _chat(_USER, _AGAIN),
    "assistant first": _chat(_ASSISTANT, _USER),
    "system late": _chat(_USER, _ASSISTANT, _SYSTEM, _AGAIN),
    "unknown role": _chat(_USER, {"role": "narrator", "content": "Night falls."}),
    "empty assistant": _chat(_USER, {"role": "assistant", "content": ""}, _AGAIN),
    "reasoning": _chat(_USER, _REASONED, _AGAIN),
    "reasoning last": _chat(_USER, _REASONED, add_generation_prompt=False),
    "think tags": _chat(_USER, _THOUGHT, _AGAIN),
    "thinking on": _chat(_USER, kwargs={"enable_thinking": True, "thinking": True}),
    "thinking off": _chat(_USER, kwargs={"enable_thinking": False, "thinking": False}),
    "tools": _chat(_SYSTEM, _USER, tools=[_TOOL]),
    "tool call": _chat(_USER, _CALLING, _RESULT, tools=[_TOOL]),
    "tool call, null content": _chat(_USER, _CALLING_NULL, _RESULT, tools=[_TOOL]),
    "tool call answered": _chat(_USER, _CALLING, _RESULT, _ASSISTANT, _AGAIN, tools=[_TOOL]),
    "tool call, no tools": _chat(_USER, _CALLING, _RESULT),
    "image": _chat(_PARTS),
    "image, multi turn": _chat(_SYSTEM, _PARTS, _ASSISTANT, _PARTS),
    "documents": _chat(_USER, kwargs={"documents": [{"title": "Log", "text": "Calm."}]}),
    "special tokens in content": _chat({"role": "user", "content": "<s></s><|im_end|>"}),
    "no message": _chat(),
    "message without content": _chat({"role": "user"}),
    "continue the last": _chat(
        _USER, _THOUGHT, add_generation_prompt=False, kwargs={"continue_final_message": True}
    ),
}


def real_templates() -> dict[str, str]:
    """Return the real templates by name.

    Raises:
        UnavailableError: They are not here and cannot be fetched.
    """
    folder = sdist_models_dir() / "templates"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.jinja"))}

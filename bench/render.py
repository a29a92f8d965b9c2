"""A render through the sandbox against transformers' own, in this process.

    python bench/render.py

Prints, for a chat of 100 messages, the median time of `apply_chat_template(tokenize=False)` of
transformers, of `Sandbox.render` with the round trip, and of the whole way from the edited JSON
text to the prompt; the goal is at most twice transformers' time plus 10 ms.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.templates import SPECIAL_TOKENS, real_templates
from transformers_ls.chat.conversation import find_conversations
from transformers_ls.chat.sandbox import RenderRequest, Sandbox

ROUNDS = 30
NAMES = (
    *("Qwen-Qwen3-0.6B", "meta-llama-Llama-3.1-8B-Instruct", "google-gemma-2-2b-it"),
    *("microsoft-Phi-3.5-mini-instruct", "HuggingFaceTB-SmolLM3-3B"),
)
MESSAGES = [
    {"role": ("user", "assistant")[turn % 2], "content": f"Message {turn}: " + "lorem ipsum " * 26}
    for turn in range(99)
] + [{"role": "assistant", "content": "the last one"}]


class Stub:
    """As much of a tokenizer as transformers needs to render."""

    special_tokens_map = SPECIAL_TOKENS

    def get_chat_template(self, template, tools=None):  # noqa: ARG002
        return template


def transformers_ms(template):
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        PreTrainedTokenizerBase.apply_chat_template(
            Stub(), MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=True
        )
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


async def timed_ms(action):
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await action()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


async def main():
    templates = real_templates()
    text = json.dumps({"messages": MESSAGES}, indent=1)
    began = time.perf_counter()
    sandbox = Sandbox()
    await sandbox.start()
    print(f"sandbox start: {(time.perf_counter() - began) * 1e3:.0f} ms; {len(text):,} characters")
    print(
        f"{'template':36}{'transformers':>14}{'sandbox':>10}{'ratio':>8}{'from text':>11}{'spans':>8}"
    )
    for name in NAMES:
        template = templates[name]

        async def render(template=template):
            await sandbox.render(RenderRequest(template, MESSAGES, SPECIAL_TOKENS))

        async def from_text(template=template):
            (chat,) = find_conversations("json", text)
            await sandbox.render(RenderRequest(template, chat.as_chat(), SPECIAL_TOKENS))

        async def spans(template=template):
            await sandbox.parts(RenderRequest(template, MESSAGES, SPECIAL_TOKENS))

        theirs = transformers_ms(template)
        ours, whole, each = await timed_ms(render), await timed_ms(from_text), await timed_ms(spans)
        print(
            f"{name:36}{theirs:11.2f} ms{ours:7.2f} ms{ours / theirs:8.2f}{whole:8.2f} ms{each:5.0f} ms"
        )
    await sandbox.close()


if __name__ == "__main__":
    asyncio.run(main())

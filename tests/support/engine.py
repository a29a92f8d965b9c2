"""An engine whose answers the test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from transformers_ls.engines.base import EngineFacts, EngineStatus, Stage

FACTS = EngineFacts(
    device="cuda:0",
    dtype="bfloat16",
    prompt_tokens=7,
    completion_tokens=3,
    time_to_first_token=0.5,
    seconds=1.0,
    load_seconds=0.25,
    seed=None,
    memory_bytes=1_000_000,
    reused_tokens=4,
    accepted_tokens=2,
)
"""What each run of a scripted engine took."""


class ScriptedEngine:
    """Streams given tokens; waits before each one when told to."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens
        self.finish_reason = "stop"
        self.gate: asyncio.Semaphore | None = None
        self.failure: Exception | None = None
        self.asked: list[Any] = []
        self.batches: list[int] = []
        self.stopped = 0
        self.running = 0
        self.closed = 0
        self.on_change = None
        self.outputs: dict[str, list[Any]] = {}
        """What is found in a text, by the name of the method that is asked."""

    async def _stream(self, on_stage: Any) -> AsyncGenerator[tuple[str, bool], None]:
        self.running += 1
        try:
            if on_stage is not None:
                on_stage(Stage("loading", "Loading the model", 50))
                on_stage(Stage("running", "Running"))
            for index, token in enumerate(self.tokens):
                if self.gate is not None:
                    await self.gate.acquire()
                if self.failure is not None:
                    raise self.failure
                yield token, index == len(self.tokens) - 1
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped += 1
            raise
        finally:
            self.running -= 1

    async def chat_completion(
        self, messages, *, model, max_tokens, on_stage=None, on_facts=None, **_
    ):
        from huggingface_hub import ChatCompletionStreamOutput

        self.asked.append({"messages": messages, "model": model, "max_tokens": max_tokens})
        async with aclosing(self._stream(on_stage)) as stream:
            async for token, last in stream:
                usage = {
                    "prompt_tokens": 7,
                    "completion_tokens": len(self.tokens),
                    "total_tokens": 0,
                }
                _tell(on_facts, last)
                yield ChatCompletionStreamOutput.parse_obj_as_instance(
                    {
                        "id": "",
                        "created": 0,
                        "model": model,
                        "system_fingerprint": "",
                        "choices": [
                            {
                                "index": 0,
                                "delta": {"role": "assistant", "content": token},
                                "finish_reason": self.finish_reason if last else None,
                            }
                        ],
                        "usage": usage if last else None,
                    }
                )

    async def text_generation(
        self, prompt, *, model, max_new_tokens, on_stage=None, on_facts=None, **options
    ):
        from huggingface_hub import TextGenerationStreamOutput

        self.asked.append({"prompt": prompt, "model": model, **options})
        async with aclosing(self._stream(on_stage)) as stream:
            async for token, last in stream:
                details = {
                    "finish_reason": "stop_sequence",
                    "generated_tokens": len(self.tokens),
                    "input_length": 7,
                }
                _tell(on_facts, last)
                yield TextGenerationStreamOutput.parse_obj_as_instance(
                    {
                        "index": 0,
                        "token": {"id": 0, "text": token, "logprob": 0.0, "special": False},
                        "details": details if last else None,
                    }
                )

    async def generate_batch(self, prompts, *, max_new_tokens, **options):
        from transformers_ls.engines.base import BatchItem

        self.batches.append(len(prompts))
        # The last row first: whoever shows them must put them in order.
        for row, prompt in reversed(list(enumerate(prompts))):
            if isinstance(prompt, str):
                chunks = self.text_generation(prompt, max_new_tokens=max_new_tokens, **options)
            else:
                chunks = self.chat_completion(prompt, max_tokens=max_new_tokens, **options)
            async with aclosing(chunks):
                async for chunk in chunks:
                    token = getattr(chunk, "token", None)
                    yield BatchItem(row, token.text if token else chunk.choices[0].delta.content)
            reason = "length" if self.finish_reason == "length" else "stop"
            yield BatchItem(row, "", reason, 7, len(self.tokens))

    async def text_classification(self, text, **options):
        return await self._infer("text_classification", text, **options)

    async def zero_shot_classification(self, text, candidate_labels, **options):
        asked = {"candidate_labels": candidate_labels, **options}
        return await self._infer("zero_shot_classification", text, **asked)

    async def token_classification(self, text, **options):
        return await self._infer("token_classification", text, **options)

    async def question_answering(self, question, context, **options):
        return await self._infer("question_answering", context, question=question, **options)

    async def fill_mask(self, text, **options):
        return await self._infer("fill_mask", text, **options)

    async def sentence_similarity(self, sentence, other_sentences, **options):
        asked = {"other_sentences": other_sentences, **options}
        return await self._infer("sentence_similarity", sentence, **asked)

    async def _infer(self, method, text, *, on_stage=None, on_facts=None, **asked):
        self.asked.append({"method": method, "text": text, **asked})
        async with aclosing(self._stream(on_stage)) as stream:
            async for _ in stream:
                pass
        if on_facts is not None:
            on_facts(FACTS)
        return self.outputs[method]

    def status(self) -> EngineStatus:
        state = "busy" if self.running else "idle"
        return EngineStatus("local", state, "this machine (scripted)")

    async def close(self) -> None:
        self.closed += 1


def _tell(on_facts: Any, last: bool) -> None:
    if last and on_facts is not None:
        on_facts(FACTS)

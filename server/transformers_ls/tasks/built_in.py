"""The built-in tasks."""

from __future__ import annotations

from collections.abc import Mapping

from transformers_ls.tasks.catalogue import Task

__all__ = ["BUILT_IN"]

BUILT_IN: Mapping[str, Task] = {
    task.id: task
    for task in (
        Task(
            id="summarize",
            title="Summarize selection",
            description="A short summary, below the selection.",
            placement="below",
            setting="summarization",
            chat_prompt="Summarize the following text in one or two sentences. "
            "Answer with the summary only.\n\n{text}",
            base_prompt="{text}\n\nIn one sentence, the text above says that",
            base_stop=("\n",),
            as_comment=True,
            seq2seq_unit="text",
            t5_prefix="summarize: ",
            merges=True,
        ),
        Task(
            id="translate",
            title="Translate selection to",
            description="A translation, in place of the selection.",
            placement="replace",
            setting="translation",
            chat_prompt="Translate the following text to {language}. Keep its formatting. "
            "Answer with the translation only.\n\n{text}",
            base_prompt="{examples}{source}: {text}\n{language}:",
            base_stop=("\n",),
            base_unit="sentence",
            chat_unit="paragraph",
            seq2seq_unit="sentence",
            t5_prefix="translate {source} to {language}: ",
            needs_language=True,
        ),
        Task(
            id="generate",
            title="Generate from selection",
            description="The model's answer to the selection, below it.",
            placement="below",
            setting="generation",
            chat_prompt="{text}",
            base_prompt="{text}",
            repetition_penalty=1.15,
        ),
        Task(
            id="bullets",
            title="Summarize selection as bullets",
            description="The main points as a list, below the selection.",
            placement="below",
            setting="summarization",
            chat_prompt="List the main points of the following text as three to five short "
            "Markdown bullets. Answer with the bullets only.\n\n{text}",
            as_comment=True,
            merges=True,
        ),
        Task(
            id="headline",
            title="Summarize selection in one line",
            description="A line of a few words, below the selection.",
            placement="below",
            setting="summarization",
            chat_prompt="Write one short headline for the following text, without quotation marks. "
            "Answer with the headline only.\n\n{text}",
            base_prompt="{text}\n\nA headline for the text above:",
            base_stop=("\n",),
            as_comment=True,
            merges=True,
        ),
        Task(
            id="continue",
            title="Continue selection",
            description="What could come next, right behind the selection.",
            placement="after",
            setting="generation",
            chat_prompt="Continue the following text in its own style. Answer with the "
            "continuation only, and do not repeat the text.\n\n{text}",
            base_prompt="{text}",
            repetition_penalty=1.15,
        ),
        Task(
            id="rewrite",
            title="Rewrite selection",
            description="The same in clearer words, in place of the selection.",
            placement="replace",
            setting="generation",
            chat_prompt="Rewrite the following text so that it is clear and easy to read. Keep its "
            "meaning, its language and its formatting. Answer with the new text only.\n\n{text}",
            chat_unit="paragraph",
        ),
        Task(
            id="fix-grammar",
            title="Fix grammar in selection",
            description="Spelling and grammar corrected, in place of the selection.",
            placement="replace",
            setting="generation",
            chat_prompt="Correct the spelling and grammar of the following text. Change nothing "
            "else, and keep its language and formatting. Answer with the corrected text only."
            "\n\n{text}",
            chat_unit="paragraph",
        ),
        Task(
            id="explain",
            title="Explain selection",
            description="What it says or does, below the selection.",
            placement="below",
            setting="generation",
            chat_prompt="Explain the following in a few plain sentences. Answer with the "
            "explanation only.\n\n{text}",
            as_comment=True,
        ),
    )
}

"""The built-in tasks."""

from __future__ import annotations

from collections.abc import Mapping

from transformers_ls.tasks.catalogue import Task
from transformers_ls.tasks.work import (
    Classification,
    Entities,
    FillMask,
    QuestionAnswering,
    Similarity,
    Writing,
    ZeroShot,
)

__all__ = ["BUILT_IN"]

_DOCSTRING_PROMPT = (
    "Write the documentation of the following code in Google style: one line that says what it "
    "does, then, where they help, the sections Args, Returns and Raises. Answer with the text of "
    "the docstring only, without quotation marks and without the code.\n\n{text}"
)

_EXAMPLE_CODE = """\
def read_words(path, smallest=1):
    text = open(path).read()
    return [word for word in text.split() if len(word) >= smallest]"""

_EXAMPLE_DOCSTRING = """\
Read the words of a file.

Args:
    path: The file to read.
    smallest: How many letters a word must have.

Returns:
    The words, in the order of the file."""

_WRITING = (
    Task(
        id="summarize",
        title="Summarize selection",
        description="A short summary, below the selection.",
        setting="summarization",
        work=Writing(
            placement="below",
            chat_prompt="Summarize the following text in one or two sentences. "
            "Answer with the summary only.\n\n{text}",
            base_prompt="{text}\n\nIn one sentence, the text above says that",
            base_stop=("\n",),
            as_comment=True,
            seq2seq_unit="text",
            t5_prefix="summarize: ",
            merges=True,
        ),
    ),
    Task(
        id="translate",
        title="Translate selection to",
        description="A translation, in place of the selection.",
        setting="translation",
        work=Writing(
            placement="replace",
            chat_prompt="Translate the following text to {language}. Keep its formatting. "
            "Answer with the translation only.\n\n{text}",
            base_prompt="{examples}{source}: {text}\n{language}:",
            base_stop=("\n",),
            base_unit="sentence",
            chat_unit="paragraph",
            seq2seq_unit="sentence",
            t5_prefix="translate {source} to {language}: ",
        ),
    ),
    Task(
        id="generate",
        title="Generate from selection",
        description="The model's answer to the selection, below it.",
        setting="generation",
        work=Writing(
            placement="below",
            chat_prompt="{text}",
            base_prompt="{text}",
            repetition_penalty=1.15,
        ),
    ),
    Task(
        id="bullets",
        title="Summarize selection as bullets",
        description="The main points as a list, below the selection.",
        setting="summarization",
        work=Writing(
            placement="below",
            chat_prompt="List the main points of the following text as three to five short "
            "Markdown bullets. Answer with the bullets only.\n\n{text}",
            as_comment=True,
            merges=True,
        ),
        is_common=False,
    ),
    Task(
        id="headline",
        title="Summarize selection in one line",
        description="A line of a few words, below the selection.",
        setting="summarization",
        work=Writing(
            placement="below",
            chat_prompt="Write one short headline for the following text, without quotation marks. "
            "Answer with the headline only.\n\n{text}",
            base_prompt="{text}\n\nA headline for the text above:",
            base_stop=("\n",),
            as_comment=True,
            merges=True,
        ),
        is_common=False,
    ),
    Task(
        id="continue",
        title="Continue selection",
        description="What could come next, right behind the selection.",
        setting="generation",
        work=Writing(
            placement="after",
            chat_prompt="Continue the following text in its own style. Answer with the "
            "continuation only, and do not repeat the text.\n\n{text}",
            base_prompt="{text}",
            repetition_penalty=1.15,
        ),
    ),
    Task(
        id="rewrite",
        title="Rewrite selection",
        description="The same in clearer words, in place of the selection.",
        setting="generation",
        work=Writing(
            placement="replace",
            chat_prompt="Rewrite the following text so that it is clear and easy to read. Keep its "
            "meaning, its language and its formatting. Answer with the new text only.\n\n{text}",
            chat_unit="paragraph",
            repeats_prompt=True,
        ),
    ),
    Task(
        id="fix-grammar",
        title="Fix grammar in selection",
        description="Spelling and grammar corrected, in place of the selection.",
        setting="generation",
        work=Writing(
            placement="replace",
            chat_prompt="Correct the spelling and grammar of the following text. Change nothing "
            "else, and keep its language and formatting. Answer with the corrected text only."
            "\n\n{text}",
            chat_unit="paragraph",
            repeats_prompt=True,
        ),
    ),
    Task(
        id="explain",
        title="Explain selection",
        description="What it says or does, below the selection.",
        setting="generation",
        work=Writing(
            placement="below",
            chat_prompt="Explain the following in a few plain sentences. Answer with the "
            "explanation only.\n\n{text}",
            as_comment=True,
        ),
    ),
    Task(
        id="docstring",
        title="Write docstring",
        description="What the selected function or class does, at its head; in other languages than "
        "Python as a comment above the selection.",
        setting="generation",
        work=Writing(
            placement="docstring",
            chat_prompt=_DOCSTRING_PROMPT,
            # A small model repeats the code unless it has seen once what is wanted.
            examples=((_DOCSTRING_PROMPT.format(text=_EXAMPLE_CODE), _EXAMPLE_DOCSTRING),),
        ),
    ),
)

_ANSWERS = (
    Task(
        id="sentiment",
        title="Classify sentiment of selection",
        description="Whether it sounds positive or negative, with scores.",
        setting="classification",
        work=Classification(
            labels=("positive", "neutral", "negative"),
            hypothesis="The sentiment of this text is {}.",
        ),
    ),
    Task(
        id="classify",
        title="Classify selection",
        description="The labels of a classifier of your choice, with scores.",
        setting="classification",
        work=Classification(),
        is_common=False,
    ),
    Task(
        id="zero-shot",
        title="Classify selection by labels…",
        description="Which of your own labels fit, with scores.",
        setting="zero_shot",
        work=ZeroShot(),
    ),
    Task(
        id="entities",
        title="Find named entities in selection",
        description="Persons, places, organizations … with their places.",
        setting="entities",
        work=Entities(),
    ),
    Task(
        id="ask",
        title="Ask about selection…",
        description="An answer to your question, from the selection alone.",
        setting="question_answering",
        work=QuestionAnswering(
            Writing(
                chat_prompt="Answer the question with the help of the following text only. If the "
                "text does not hold the answer, say so.\n\nText:\n{text}\n\nQuestion: {question}",
                base_prompt="{text}\n\nQuestion: {question}\nAnswer:",
                base_stop=("\n",),
                t5_prefix="question: {question} context: ",
                merges=True,
            )
        ),
    ),
    Task(
        id="fill-mask",
        title="Fill mask in selection",
        description="Words for the place marked `[MASK]`, `<mask>` or `___`, with scores.",
        setting="fill_mask",
        work=FillMask(),
    ),
    Task(
        id="similarity",
        title="Compare selection with another…",
        description="How close the meanings of two texts are.",
        setting="similarity",
        work=Similarity(),
        is_common=False,
    ),
)

BUILT_IN: Mapping[str, Task] = {task.id: task for task in (*_WRITING, *_ANSWERS)}

"""Turn a GGUF file into the files that transformers loads quickly.

`python -m transformers_ls_worker.convert SRC.gguf DEST` writes into the empty folder DEST:
`model.safetensors`, `config.json`, `generation_config.json`, `tokenizer.json`,
`tokenizer_config.json` and, when the GGUF has one, `chat_template.jinja`. It speaks the frames of
`wire` on standard output: `Stage` with a percentage, then `Done` or `Failed`.

Weights are stored as bfloat16. Both publishers trained and published in it, so the folder behaves
as their own does, `dtype="auto"` included (Gemma overflows in float16), and it is the type that the
worker computes in, so loading is a memory map and no cast. What the rounding costs was measured
with `bench/worker_decode.py --rounding`: SmolLM2's perplexity on 1,024 tokens is 18.30 from these
files and 18.31 from the weights that its GGUF describes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers_ls_worker import stdio, wire

__all__ = ["convert", "main"]

Progress = Callable[[str, int], None]
"""Takes what is done now, and how much of the whole conversion lies behind it in percent."""

_DIGITS_APART = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"})
"""Values of `tokenizer.ggml.pre` whose tokenizers split every digit off before anything else.

transformers 5.23 reads the merges of these files but not this rule, so that "a  1" would become
other ids than the publisher's tokenizer.json gives; llama.cpp's table of pre-tokenizers has it.
"""


def convert(source: Path, destination: Path, progress: Progress) -> None:
    """Write the converted files of `source` into the folder `destination`, which must exist."""
    progress("reading the file", 0)
    from gguf import GGUFReader

    fields = GGUFReader(source).fields

    def metadata(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    architecture = metadata("general.architecture")
    window = metadata(f"{architecture}.context_length")
    template = metadata("tokenizer.chat_template")
    _convert_tokenizer(source, destination, metadata("tokenizer.ggml.pre"), window, progress)
    if template:
        (destination / "chat_template.jinja").write_text(template, encoding="utf-8")
    _convert_model(source, destination, progress)


def _convert_tokenizer(
    source: Path, destination: Path, pre: str | None, window: int | None, progress: Progress
) -> None:
    progress("converting the tokenizer", 5)
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        source.parent, gguf_file=source.name, local_files_only=True, trust_remote_code=False
    )
    if pre in _DIGITS_APART:
        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), backend.pre_tokenizer]
        )
    if window:
        tokenizer.model_max_length = window
    tokenizer.chat_template = None  # The caller writes it, byte for byte as the file has it.
    tokenizer.save_pretrained(destination)
    config_file = destination / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    # The name that transformers 4 knows too; 5 takes both for "as tokenizer.json says".
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    for key in ("gguf_file", "name_or_path", "local_files_only", "is_local", "chat_template"):
        config.pop(key, None)
    config_file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _convert_model(source: Path, destination: Path, progress: Progress) -> None:
    progress("reading the weights", 35)
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    model = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(gguf_file=source.name, dequantize=True),
        local_files_only=True,
        trust_remote_code=False,
    )
    progress("writing the weights", 85)
    # The weights are plain tensors now; transformers would still refuse to save them, because the
    # model remembers that it came from a quantized file.
    vars(model.config).pop("quantization_config", None)
    model.hf_quantizer = None
    model.config._name_or_path = ""  # noqa: SLF001 - it holds a path of this machine
    model.save_pretrained(destination)
    progress("done", 100)


def main(arguments: list[str]) -> int:
    """Run the conversion that the command line asks for, telling its progress on the wire."""
    stdio.die_with_parent()
    _, out = stdio.claim()
    started = time.monotonic()

    def progress(message: str, percent: int) -> None:
        out.write(wire.encode(wire.Stage("convert", "running", message, percent)))

    try:
        source, destination = (Path(argument).resolve() for argument in arguments)
        convert(source, destination, progress)
    except ImportError as error:
        failed = wire.Failed("convert", "packages-missing", f"{error.name} is not installed.")
        out.write(wire.encode(failed))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever a broken file raises must reach the front
        message = f"{type(error).__name__}: {error}"
        out.write(wire.encode(wire.Failed("convert", "model-broken", message)))
        return 1
    seconds = time.monotonic() - started
    done = wire.Done("convert", "eos", 0, 0, None, seconds, device="cpu", dtype="bfloat16")
    out.write(wire.encode(done))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

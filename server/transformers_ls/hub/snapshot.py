"""Fetch a repository's model files from the Hub, with huggingface_hub and in a killable process.

`python -m transformers_ls.hub.snapshot REPO REVISION DEST` is the process: huggingface_hub's
downloads run in threads, which nothing could stop when the user cancels.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from transformers_ls.errors import NetworkError
from transformers_ls.hub.child import folder_size, run_watched

__all__ = ["MODEL_FILES", "Snapshot", "ask_hub", "fetch_snapshot"]

MODEL_FILES = (
    *("config.json", "generation_config.json", "model.safetensors", "model-*.safetensors"),
    *("model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json"),
    *("special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
    *("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "*.spm"),
    *("tekken.json", "*.tiktoken", "chat_template.jinja", "chat_template.json"),
    *("additional_chat_templates/*", "adapter_config.json", "adapter_model.safetensors"),
)
"""All that is ever fetched of a repository: no pickles, no code, no other formats' weights."""

_ASK_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository as the Hub describes it now."""

    repo: str
    commit: str
    size: int


def ask_hub(repo: str, revision: str | None = None) -> Snapshot | str:
    """Ask the Hub for a repository; blocks for a few seconds at most.

    Returns:
        The repository, or the reason why it cannot be fetched from there, in words.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    host = constants.ENDPOINT.split("://")[-1].rstrip("/")
    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    api = HfApi(library_name="transformers-ls")
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True, timeout=_ASK_SECONDS)
        if info.gated:
            api.auth_check(repo)
    except GatedRepoError:
        return f"{host} gives {repo} only to accounts that accepted its license there"
    except RepositoryNotFoundError:
        return f"{host} does not have {repo}"
    except HfHubHTTPError as error:
        return f"{host} answered {error.response.status_code}"
    except Exception as error:  # noqa: BLE001 - each HTTP library's own "no connection"
        return f"{host} cannot be reached ({type(error).__name__})"
    size = sum(
        file.size or 0
        for file in info.siblings or ()
        if any(fnmatch.fnmatch(file.rfilename, pattern) for pattern in MODEL_FILES)
    )
    return Snapshot(repo, info.sha or "main", size)


def fetch_snapshot(
    snapshot: Snapshot, destination: Path, progress: Callable[[str, int, int], None]
) -> None:
    """Download a repository's model files into the folder `destination`."""

    def watch(_output: str) -> None:
        progress("download", min(snapshot.size, folder_size(destination)), snapshot.size)

    progress("download", 0, snapshot.size)
    module = "transformers_ls.hub.snapshot"
    finished = run_watched(
        [sys.executable, "-P", "-m", module, snapshot.repo, snapshot.commit, str(destination)],
        os.environ,
        watch,
    )
    if finished.returncode:
        if "No space left on device" in finished.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        last = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NetworkError(f"{snapshot.repo} could not be downloaded from the Hub: {last}")
    shutil.rmtree(destination / ".cache", ignore_errors=True)
    progress("download", snapshot.size, snapshot.size)


def main(arguments: list[str]) -> int:
    """Download what the command line names."""
    from huggingface_hub import snapshot_download

    repo, commit, destination = arguments
    snapshot_download(
        repo,
        revision=commit,
        local_dir=destination,
        allow_patterns=list(MODEL_FILES),
        library_name="transformers-ls",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

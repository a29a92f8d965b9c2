"""Models that ONNX Runtime computes: made once from their files, kept in a folder, loaded from there."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from transformers_ls_worker.device import Placement
from transformers_ls_worker.loading import LoadedModel, end_tokens, plain_search
from transformers_ls_worker.model_files import fingerprint, read_json
from transformers_ls_worker.onnx_session import FACTS
from transformers_ls_worker.weights import weights_bytes

__all__ = ["OnnxStore"]

logger = logging.getLogger(__name__)

_FORMAT = 2
"""Raised when the graphs must be made anew."""

_SMALLEST = 64 * 2**20
"""A model with fewer bytes of weights is decoded so fast that nothing is gained."""

_MAKING = 4.5
"""How many times the weights in float32 the making of a graph takes of memory; SmolLM2 135M took 3.2
times, Gemma 3 270M 4.1 times."""

_UNFINISHED = ".making-"
"""What the names of folders begin with in which a graph is made."""

_PACKAGES = ("onnxruntime", "onnxruntime_genai", "onnx_ir")

_ABANDONED_SECONDS = 3600.0
"""How old what a killed process left unfinished is at least: no making takes as long."""

_ASK_SECONDS = 0.05


class OnnxStore:
    """Graphs of models, in a folder that may be deleted at any time.

    Args:
        folder: The folder; it need not exist yet.
        smallest: Models with fewer bytes of weights are left to torch.
    """

    def __init__(self, folder: Path, smallest: int = _SMALLEST) -> None:
        self._folder = folder
        self._smallest = smallest

    @staticmethod
    def serves(placement: Placement) -> bool:
        """Whether models run on the CPU, and the packages are there."""
        return placement.device.type == "cpu" and all(map(find_spec, _PACKAGES))

    def load(
        self, path: Path, tell: Callable[[int], None], check: Callable[[], None]
    ) -> LoadedModel | None:
        """Load a model, making its graph if need be.

        Args:
            path: The model's folder or GGUF file.
            tell: Told the percentage.
            check: Called often; an exception out of it ends the making.

        Returns:
            The model; None when torch has to compute it. The log says why.
        """
        if (made := self.prepare(path, tell, check)) is None:
            return None
        try:
            return _open(path, made)
        # A damaged graph must not keep the user from the model.
        except Exception as error:  # noqa: BLE001
            logger.warning("the graph of %s cannot be read (%s)", path.name, type(error).__name__)
            shutil.rmtree(made, ignore_errors=True)
            return None

    def prepare(
        self, path: Path, tell: Callable[[int], None], check: Callable[[], None]
    ) -> Path | None:
        """Make the graph of a model if need be; return its folder. See `load`."""
        made = self._made(path)
        if (made / FACTS).is_file():
            return made
        if made.with_suffix(".txt").is_file() or not self._worth(path):
            return None
        return made if self._make(path, made, tell, check) else None

    def _made(self, path: Path) -> Path:
        """Return the folder of a model's graph, another one whenever the model changes."""
        versions = map(version, ("onnxruntime-genai", "transformers"))
        state = (_FORMAT, *versions, fingerprint(path))
        return self._folder / f"{path.name}-{_digest(str(path))}-{_digest(repr(state))}"

    def _worth(self, path: Path) -> bool:
        import psutil

        need = weights_bytes(path, torch.float32.itemsize)
        if need < self._smallest:
            return False
        if not path.is_file():
            config = read_json(path / "config.json")
            if config.get("is_encoder_decoder") or "quantization_config" in config:
                return False
        return bool(_MAKING * need < psutil.virtual_memory().available)

    def _make(
        self, path: Path, made: Path, tell: Callable[[int], None], check: Callable[[], None]
    ) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = made.name.rpartition("-")[0]
            for old in self._folder.glob(f"{name}-*"):  # Of another state of the same model.
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            for left in self._folder.glob(f"{_UNFINISHED}*"):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=self._folder) as work:
                target = Path(work, "graph")
                target.mkdir()
                reason = _export(path, target, tell, check)
                if not reason:
                    target.rename(made)
        except OSError as error:
            logger.warning("no graph of %s was made: %s", path.name, error.strerror)
            return False
        if reason:
            logger.warning("torch computes %s: %s", path.name, reason)
            # Not tried again before something changes.
            made.with_suffix(".txt").write_text(reason, encoding="utf-8")
        return not reason


def _export(
    source: Path, target: Path, tell: Callable[[int], None], check: Callable[[], None]
) -> str:
    """Make a graph in a process of its own, which can be ended at any time; return why it failed."""
    argv = [sys.executable, "-P", "-m", "transformers_ls_worker.onnx_export"]
    answers = target.with_name("answers")
    with answers.open("wb") as stream:
        child = subprocess.Popen(
            [*argv, str(source), str(target)], stdin=subprocess.DEVNULL, stdout=stream
        )
    try:
        while child.poll() is None:
            check()
            time.sleep(_ASK_SECONDS)
            tell(_last(answers).get("percent", 0))
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if child.returncode == 0:
        return ""
    return str(
        _last(answers).get("error", f"the making of its graph ended with {child.returncode}")
    )


def _last(answers: Path) -> dict[str, Any]:
    lines = [line for line in answers.read_bytes().split(b"\n")[:-1] if line]
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


def _open(path: Path, made: Path) -> LoadedModel:
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    from transformers_ls_worker.onnx_model import OnnxModel

    folder, gguf = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(folder, **safe, **gguf)
    settings = GenerationConfig.from_pretrained(made, local_files_only=True)
    plain_search(settings)
    config = AutoConfig.from_pretrained(made, **safe)
    model = OnnxModel(made, config, settings)
    window = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return LoadedModel(
        model,
        tokenizer,
        window if isinstance(window, int) else None,
        end_tokens(settings),
        vocabulary=model.vocabulary,
        dtype_name=model.dtype_name,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]

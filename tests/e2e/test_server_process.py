"""The real server process over stdio, driven by pytest-lsp: no part of it is replaced."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import (
    ClientServerConfig,
    LanguageClient,
    LspSpecificationWarning,
    make_test_lsp_client,
)

from tests.support.tiny_tokenizer import make_tokenizer, reference_count

URI = "file:///workspace/notes.md"
TEXT = "# Notes\n\nThe quick brown fox jumps over the lazy dog.\u2028Still the same line.\n"

pytestmark = pytest.mark.filterwarnings(
    f"error::{LspSpecificationWarning.__module__}.{LspSpecificationWarning.__qualname__}"
)


def make_client() -> LanguageClient:
    """Add what pytest-lsp's client lacks: answers to the refresh and register requests."""
    client = make_test_lsp_client()

    @client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
    @client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
    def on_refresh(_):
        return None

    @client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def on_register(_):
        return None

    return client


@pytest_lsp.fixture(
    config=ClientServerConfig(
        server_command=[sys.executable, "-m", "transformers_ls", "serve", "--stdio"],
        client_factory=make_client,
    )
)
async def client(lsp_client: LanguageClient, tmp_path: Path):
    folder = make_tokenizer(tmp_path / "tiny")
    lsp_client.set_configuration({"transformers": {"tokenizers": [str(folder)]}})
    lsp_client.tiny = folder
    await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(
                workspace=types.WorkspaceClientCapabilities(
                    configuration=True,
                    inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
                )
            ),
            root_uri=tmp_path.as_uri(),
        )
    )
    yield
    await asyncio.wait_for(lsp_client.shutdown_session(), 30)


async def test_hover_counts_exactly(client: LanguageClient):
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "markdown", 1, TEXT))
    )
    params = types.HoverParams(types.TextDocumentIdentifier(URI), types.Position(2, 4))

    async def ready() -> str:
        while True:
            hover = await client.text_document_hover_async(params)
            if "loading" not in hover.contents.value and "tiny" in hover.contents.value:
                return hover.contents.value
            await asyncio.sleep(0.05)

    value = await asyncio.wait_for(ready(), 60)
    assert f" {reference_count(client.tiny, TEXT)} |" in value


async def test_unknown_methods_and_documents_get_errors(client: LanguageClient):
    with pytest.raises(Exception, match="not open"):
        await client.protocol.send_request_async(
            "transformers/count", {"textDocument": {"uri": "file:///none"}, "ranges": []}
        )
    status = await client.protocol.send_request_async("transformers/status", None)
    assert status.engine.state == "stopped"


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
        timeout=120,
    )


@pytest.mark.parametrize("heavy", ["torch", "transformers", "tokenizers", "jinja2", "tree_sitter"])
def test_starting_imports_nothing_heavy(heavy):
    """`python -X importtime` of the real command, up to the end of its (empty) input."""
    done = run("-X", "importtime", "-m", "transformers_ls", "serve", "--stdio")
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "pygls" in imported
    assert heavy not in imported


def test_the_end_of_input_ends_the_server():
    done = run("-m", "transformers_ls", "serve")
    assert done.returncode == 0
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--tcp", "0.0.0.0:9999"], "loopback"),
        (["serve", "--tcp", "nonsense"], "no address"),
        (["count", "/no/such/file"], "cannot be read"),
        (["run", "dance", "-"], "no task `dance`"),
        (["models", "install", "gpt-9"], "no embedded model"),
        (["render", "-"], "no chat"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(arguments, words):
    done = run("-m", "transformers_ls", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_here_says_what_to_do(tmp_path):
    done = run(
        "-m", "transformers_ls", "count", "-", stdin="text", TRANSFORMERS_LS_DATA=str(tmp_path)
    )
    assert done.returncode == 1
    assert "transformers-ls models install smollm2-135m" in done.stderr

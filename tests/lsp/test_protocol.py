"""The traps of pygls that our protocol closes; each test fails on pygls' own protocol."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.session import RequestError
from transformers_ls.errors import UsageError

URI = "file:///a.md"


async def test_requests_before_initialize_are_refused(bare_client):
    with pytest.raises(RequestError) as caught:
        await bare_client.request("textDocument/hover", {})
    assert caught.value.code == -32002


async def test_requests_after_shutdown_are_refused(client):
    await client.request("shutdown")
    with pytest.raises(RequestError) as caught:
        await client.request("transformers/status", None)
    assert caught.value.code == -32600


async def test_lines_end_where_lsp_says(client):
    """U+2028, form feed and their like are inside a line; pygls splits there."""
    text = '{"a": "x\u2028y\x0c\x85z"}\n{"b": 1}\n'
    client.open(URI, text, "jsonl")
    at = {"line": 1, "character": 6}
    client.change(URI, 2, ({"start": at, "end": {"line": 1, "character": 7}}, "2"))
    assert client.server.documents.get(URI).snapshot.text == text.replace(": 1", ": 2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_edits_in_each_position_encoding(bare_client, encoding):
    capabilities = {"general": {"positionEncodings": [encoding]}}
    result = await bare_client.initialize(capabilities)
    assert result["capabilities"]["positionEncoding"] == encoding
    bare_client.open(URI, "é🙂x\nsecond")
    units = len(
        "é🙂".encode({"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding))
    )
    column = units // {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    span = {
        "start": {"line": 0, "character": column},
        "end": {"line": 0, "character": column + 1},
    }
    bare_client.change(URI, 2, (span, "yz"))
    assert bare_client.server.documents.get(URI).snapshot.text == "é🙂yz\nsecond"


async def test_a_cancelled_command_is_answered_and_stopped(client):
    """pygls lets a cancelled command run on, or never answers it."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    client.server.add_command("test.forever", None, forever)
    msg_id, answer = client.start("workspace/executeCommand", {"command": "test.forever"})
    await asyncio.wait_for(started.wait(), 5)
    client.notify("$/cancelRequest", {"id": msg_id})
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(answer, 5)
    assert caught.value.code == -32800
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_command_that_swallows_its_cancellation_is_answered(client):
    started = asyncio.Event()

    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cleaned up"
        return "never"

    client.server.add_command("test.stubborn", None, stubborn)
    msg_id, answer = client.start("workspace/executeCommand", {"command": "test.stubborn"})
    await asyncio.wait_for(started.wait(), 5)
    client.notify("$/cancelRequest", {"id": msg_id})
    assert await asyncio.wait_for(answer, 5) == "cleaned up"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"command": "no.such"}, "no command"),
        ({"command": "transformers.run", "arguments": []}, "malformed"),
        ({"command": "transformers.run", "arguments": [{"task": 1}]}, "malformed"),
        ({"command": "transformers.run", "arguments": [None]}, "malformed"),
        ({"command": "transformers.run"}, "malformed"),
    ],
)
async def test_wrong_commands_get_a_clear_error(client, params, words):
    with pytest.raises(RequestError, match=words):
        await client.request("workspace/executeCommand", params)


async def test_no_bookkeeping_is_left(client):
    """pygls keeps the future of every notification for ever."""
    client.open(URI, "text")
    protocol = client.server.protocol
    # The session's own start asks the client a few things; wait until all are answered.
    await client.until(lambda: not protocol._request_futures)
    for version in range(2, 60):
        client.change(URI, version, f"text {version}")
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.request("textDocument/hover", _at(0, 1))
    await client.until(lambda: not protocol._request_futures)
    assert not protocol._result_types


async def test_shutdown_while_commands_run(client):
    """pygls fails with "dictionary changed size during iteration" and stays up."""
    started = []

    async def forever() -> None:
        started.append(1)
        await asyncio.Event().wait()

    client.server.add_command("test.forever", None, forever)
    answers = [
        client.start("workspace/executeCommand", {"command": "test.forever"})[1] for _ in range(3)
    ]
    await client.until(lambda: len(started) == 3)
    assert await client.request("shutdown") is None
    for answer in answers:
        with pytest.raises(RequestError) as caught:
            await asyncio.wait_for(answer, 5)
        assert caught.value.code == -32800


async def test_initializing_again_keeps_open_documents(client):
    """pygls makes a new workspace, and all documents are gone until they are opened again."""
    client.open(URI, "some text that is long enough")
    await client.initialize()
    hover = await client.request("textDocument/hover", _at(0, 1))
    assert "document" in hover["contents"]["value"]


async def test_nested_jsonrpc_keys_are_data(client):
    """pygls parses any nested object with the key "jsonrpc" as a message."""
    client.open(URI, "text")
    client.notify(
        "workspace/didChangeConfiguration",
        {"settings": {"transformers": {"jsonrpc": "2.0", "method": "exit", "hover": {}}}},
    )
    assert await client.request("textDocument/hover", _at(0, 1))


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 900, "method": "textDocument/hover", "params": {"nonsense": 1}},
        {"jsonrpc": "2.0", "id": 901, "method": "textDocument/hover"},
        {"jsonrpc": "2.0", "id": 902, "method": "transformers/run", "params": {"task": []}},
        {"jsonrpc": "2.0", "id": 903, "method": "no/such", "params": {}},
        {"jsonrpc": "1.0", "id": 904, "method": "shutdown"},
    ],
)
async def test_nonsense_gets_an_error_and_the_server_goes_on(client, message):
    future = client._pending[message["id"]] = asyncio.get_running_loop().create_future()
    client.send(message)
    with pytest.raises(RequestError):
        await asyncio.wait_for(future, 5)
    assert await client.request("transformers/status", None)


@pytest.mark.parametrize("message", [[], "text", 7, {}, {"id": 5}, {"jsonrpc": "2.0", "result": 1}])
async def test_what_is_no_message_is_ignored(client, message):
    client.send(message)
    assert await client.request("transformers/status", None)


async def test_a_notification_with_an_id_is_answered_under_that_id(client):
    client.open(URI, "text")
    here = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    for version, change in enumerate(({"text": "other"}, {"text": "an", "range": here}), 2):
        params = {
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [change],
        }
        assert await client.request("textDocument/didChange", params) is None
    assert client.server.documents.get(URI).snapshot.text == "another"
    assert await client.request("textDocument/didClose", {"textDocument": {"uri": URI}}) is None
    assert client.server.documents.get(URI) is None


async def test_errors_carry_a_message_and_a_hint_but_no_traceback(client):
    async def fails() -> None:
        raise UsageError("It is off.", "Do this.")

    async def breaks() -> None:
        raise ValueError("the user's secret text")

    client.server.add_command("test.fails", None, fails)
    client.server.add_command("test.breaks", None, breaks)
    with pytest.raises(RequestError) as caught:
        await client.request("workspace/executeCommand", {"command": "test.fails"})
    assert caught.value.message == "It is off. Do this."
    assert caught.value.data == {"code": "usage", "hint": "Do this."}
    with pytest.raises(RequestError) as caught:
        await client.request("workspace/executeCommand", {"command": "test.breaks"})
    assert "secret" not in str(caught.value)
    assert "traceback" not in caught.value.data


async def test_unexpected_errors_are_logged_without_the_users_text(client, caplog):
    async def breaks() -> None:
        "\ud800 the user's secret".encode()

    client.server.add_command("test.breaks", None, breaks)
    with pytest.raises(RequestError):
        await client.request("workspace/executeCommand", {"command": "test.breaks"})
    assert "UnicodeEncodeError" in caplog.text
    assert "secret" not in caplog.text


async def test_errors_do_not_pop_up(client):
    """pygls shows a message to the user for every error that belongs to no request."""
    client.send({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"nonsense": 1}})
    client.notify("textDocument/didChange", {"textDocument": {"uri": "file:///no", "version": 2}})
    await client.request("transformers/status", None)
    assert not client.notifications["window/showMessage"]


async def test_a_client_that_never_answers_blocks_nothing(client):
    client.silent |= {"workspace/configuration", "workspace/inlayHint/refresh"}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    client.open(URI, "text")
    assert await client.request("textDocument/hover", _at(0, 1))


async def test_a_client_that_refuses_to_register_still_has_settings(bare_client, model):
    bare_client.settings = {"tokenizers": [model]}
    bare_client.silent.add("client/registerCapability")
    await bare_client.initialize()
    (asked,) = await bare_client.until(
        lambda: [m for m in bare_client.raw if m.get("method") == "client/registerCapability"]
    )
    error = {"code": -32601, "message": "no"}
    bare_client.send({"jsonrpc": "2.0", "id": asked["id"], "error": error})
    await bare_client.until(lambda: bare_client.server.configuration.all_tokenizers() == [model])


async def test_a_late_answer_is_ignored(client):
    """pygls raises InvalidStateError on an answer to a request that was given up."""
    client.silent.add("test/ask")
    with pytest.raises(TimeoutError):
        await client.server.ask("test/ask", None, seconds=0.01)
    (asked,) = [message for message in client.raw if message.get("method") == "test/ask"]
    assert asked["id"] not in client.server.protocol._request_futures
    client.send({"jsonrpc": "2.0", "id": asked["id"], "result": None})
    assert await client.request("transformers/status", None)


def _at(line: int, character: int) -> dict:
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
    }

"""pygls' protocol with its traps closed; each one is proven by a test in `tests/lsp/`.

What differs from `pygls.protocol.LanguageServerProtocol`:

- Text comes from our own `DocumentStore`, whose lines end where LSP says they do. pygls splits lines
  with `str.splitlines`, so one U+2028 in a dataset shifts every later position, and it walks the
  whole document on each key.
- `workspace/executeCommand` runs the command as its own request, so `$/cancelRequest` reaches it and
  it is always answered. pygls runs it as an inner task that cancellation does not reach.
- Bookkeeping of finished messages is dropped; pygls keeps a future for every notification.
- Answers that arrive after their request was given up are ignored instead of reported as errors.
- Errors are answered with a message for users; tracebacks stay here, without the user's text.
- Broken messages, and messages before `initialize` or after `shutdown`, are answered as LSP says.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from transformers_ls.errors import RunCancelledError, TransformersLsError, describe
from transformers_ls.lsp.documents import DocumentStore
from transformers_ls.lsp.messages import METHODS, PROMPT_SCHEME
from transformers_ls.lsp.run_messages import RESULT_SCHEME
from transformers_ls.lsp.typing_messages import read_params
from transformers_ls.lsp.written import is_long, write
from transformers_ls.text.snapshot import PositionEncoding

if TYPE_CHECKING:
    from transformers_ls.lsp.server import TransformersServer

__all__ = ["TransformersProtocol", "to_response_error"]

log = logging.getLogger(__name__)

MsgId = str | int


class TransformersProtocol(LanguageServerProtocol):
    """The JSON-RPC and document side of the server."""

    _server: TransformersServer

    def __init__(self, server: Any, converter: Any) -> None:
        self.documents = DocumentStore()
        self._initialized = False
        self._sending: set[asyncio.Task[None]] = set()
        self.last_message = 0.0
        """When the last message came, by `time.monotonic`."""
        super().__init__(server, converter)

    @property
    def is_asked(self) -> bool:
        """Whether a request waits for its answer, one of the client's or one to it, or is being worked on."""
        return bool(self._request_futures or self._sending)

    # Messages in

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        """Return the type a message is read into; custom ones come first."""
        return METHODS.get(method) or super().get_message_type(method)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Leave JSON objects alone.

        pygls calls this for every nested object (`object_hook`), so a dataset row that holds the key
        "jsonrpc" would be taken for a message. `handle_message` structures the outermost one.
        """
        return data

    def handle_message(self, message: Any) -> None:
        """Dispatch one message; a broken one is answered when it can be."""
        self.last_message = time.monotonic()
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._refuse(
                message, types.ErrorCodes.InvalidRequest, "This is no JSON-RPC 2.0 message."
            )
            return
        method = message.get("method")
        if refusal := self._out_of_order(method):
            self._refuse(message, *refusal)
            return
        if method is None:
            self._handle_answer(message)
            return
        params = read_params(method, message.get("params"))
        if params is None:
            try:
                params = super().structure_message(message).params
            except JsonRpcException:
                text = f"The parameters of {method!r} are malformed."
                self._refuse(message, types.ErrorCodes.InvalidParams, text)
                return
        # What pygls asks of a message's type by looking at all its attributes, the keys have said.
        context = contextvars.copy_context()
        if "id" in message:
            context.run(self._handle_request, message["id"], method, params)
        else:
            context.run(self._handle_notification, method, params)

    def _handle_answer(self, message: dict[str, Any]) -> None:
        try:
            super().handle_message(super().structure_message(message))
        except JsonRpcException as error:
            # An answer that cannot be read is an answer all the same: who asked must learn.
            waiting = self._request_futures.pop(message.get("id", ""), None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)

    def _out_of_order(self, method: str | None) -> tuple[int, str] | None:
        if method is None or method == types.EXIT:
            return None
        if self._shutdown:
            return types.ErrorCodes.InvalidRequest, "The server was shut down."
        if not self._initialized and method != types.INITIALIZE:
            return types.ErrorCodes.ServerNotInitialized, "The server is not initialized."
        return None

    def _refuse(self, message: Any, code: int, text: str) -> None:
        log.warning("refused a message: %s", text)
        # Only requests are answered: a notification has no id, an answer of the client no method.
        if isinstance(message, dict) and "id" in message and "method" in message:
            msg_id = message["id"]
            if isinstance(msg_id, str | int):
                self._send_response(msg_id, error=types.ResponseError(code=code, message=text))

    # Bookkeeping

    def _execute_handler(
        self,
        msg_id: MsgId,
        handler: Callable[..., Any],
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        def done(future: Any) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def _handle_notification(self, method_name: str, params: Any) -> None:
        handler = _DOCUMENT_HANDLERS.get(method_name)
        if handler is None:
            super()._handle_notification(method_name, params)
            return
        # Each key comes this way: nobody waits for it, and so it needs no id and no future.
        try:
            handler(self, params)
        except Exception as error:  # noqa: BLE001 - as of other notifications, errors are told here.
            log.error("a notification handler failed: %s", describe(error))  # noqa: TRY400

    def _handle_cancel_notification(self, msg_id: MsgId) -> None:
        # Cancelling what has ended already is normal: the answer and the cancel crossed.
        future = self._request_futures.pop(msg_id, None)
        if future is not None:
            future.cancel()

    def _handle_response(
        self, msg_id: MsgId, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        self._result_types.pop(msg_id, None)
        future = self._request_futures.get(msg_id)
        if future is None or future.done():
            self._request_futures.pop(msg_id, None)
            return
        super()._handle_response(msg_id, result, error)

    def forget_request(self, future: Any) -> None:
        """Drop the bookkeeping of a request to the client that nobody waits for any more."""
        for msg_id in [key for key, kept in self._request_futures.items() if kept is future]:
            self._request_futures.pop(msg_id, None)
            self._result_types.pop(msg_id, None)

    # Answers out

    def _send_handler_result(self, future: Future[Any], *, msg_id: MsgId) -> None:
        try:
            result = future.result()
            if is_long(result):
                task = asyncio.create_task(self._send_long(msg_id, result))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
                return
            # Unstructured here, so that a result that cannot be written is still answered.
            result = self._converter.unstructure(result)
        except (asyncio.CancelledError, FutureCancelledError):
            error = to_response_error(RunCancelledError("The request was cancelled."))
        except Exception as exc:  # noqa: BLE001 - every request is answered, whatever went wrong.
            error = to_response_error(exc)
        else:
            # As it goes over the wire: a message object would be taken apart once more.
            self._send_data({"id": msg_id, "jsonrpc": self.VERSION, "result": result})
            return
        self._send_response(msg_id, error=error)

    async def _send_long(self, msg_id: MsgId, result: Any) -> None:
        """Write a long result in a thread, and send it."""
        try:
            answer = await asyncio.to_thread(self._written, msg_id, result)
        except Exception as exc:  # noqa: BLE001 - every request is answered, whatever went wrong.
            self._send_response(msg_id, error=to_response_error(exc))
            return
        if self.writer is not None:
            sent = self.writer.write(answer)
            if sent is not None:
                await sent

    def _written(self, msg_id: MsgId, result: Any) -> bytes:
        """Do what `_send_data` does before it sends an answer."""
        known = json.dumps({"id": msg_id, "jsonrpc": self.VERSION})
        body = f'{known[:-1]}, "result": {write(result, self._converter.unstructure)}}}'.encode()
        if not self._include_headers:
            return body
        kind = f"{self.CONTENT_TYPE}; charset={self.CHARSET}"
        head = f"Content-Length: {len(body)}\r\nContent-Type: {kind}\r\n\r\n"
        return head.encode() + body

    def _check_handler_result(self, future: Future[Any]) -> None:
        if not future.cancelled() and (exc := future.exception()) is not None:
            log.error("a notification handler failed: %s", describe(exc))

    # Life cycle

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Any:
        """Answer `initialize`; a second one starts the session over with the documents kept."""
        self._initialized = True
        result: types.InitializeResult = yield from super().lsp_initialize(params)
        result.capabilities.execute_command_provider = types.ExecuteCommandOptions(
            commands=list(self._server.commands), work_done_progress=True
        )
        client = params.capabilities.workspace
        if client and client.text_document_content and result.capabilities.workspace:
            # pygls does not know of it yet.
            result.capabilities.workspace.text_document_content = types.TextDocumentContentOptions(
                schemes=[PROMPT_SCHEME, RESULT_SCHEME]
            )
        encoding = result.capabilities.position_encoding
        self.documents.encoding = PositionEncoding(encoding or types.PositionEncodingKind.Utf16)
        return result

    @lsp_method(types.SHUTDOWN)
    async def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """End every run, then every open request, then answer."""
        await self._server.end_runs()
        own = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != own and not future.done():
                future.cancel()
        self._shutdown = True

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Run a command; see `TransformersServer.commands` for what a command is."""
        return await self._server.execute_command(params.command, list(params.arguments or []))

    # Documents

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Keep the document, then tell the server."""
        self.documents.open(params.text_document)
        self._server.on_document(params.text_document.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the changes, then tell the server."""
        self.documents.change(params)
        self._server.on_document(params.text_document.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget the document, then tell the server."""
        self.documents.close(params.text_document.uri)
        self._server.on_document(params.text_document.uri)


_DOCUMENT_HANDLERS: dict[str, Callable[[TransformersProtocol, Any], None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: TransformersProtocol.lsp_text_document__did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: TransformersProtocol.lsp_text_document__did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: TransformersProtocol.lsp_text_document__did_close,
}


def to_response_error(exc: BaseException) -> types.ResponseError:
    """Say an error to the client: our own as they are, JSON-RPC's without their traceback."""
    if isinstance(exc, TransformersLsError):
        cancelled = isinstance(exc, RunCancelledError)
        return types.ResponseError(
            code=(
                types.LSPErrorCodes.RequestCancelled
                if cancelled
                else types.LSPErrorCodes.RequestFailed
            ),
            message=str(exc),
            data={"code": exc.code, "hint": exc.hint},
        )
    if isinstance(exc, JsonRpcException):
        return types.ResponseError(code=exc.code, message=exc.message)
    log.error("a request failed: %s", describe(exc))
    return types.ResponseError(
        code=types.ErrorCodes.InternalError,
        message=f"Internal error ({type(exc).__name__}); the server log says where.",
        data={"code": "internal", "hint": ""},
    )

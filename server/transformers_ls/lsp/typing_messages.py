"""The two messages that come with each key, read without a converter.

lsprotocol's converter finds out for each message and each value how it is read; for the two that a
server gets with every key, that is a twentieth of the time until it answers. Whatever looks unusual
is left to the converter, which also says what is wrong with it.
"""

from __future__ import annotations

from typing import Any

from lsprotocol import types

__all__ = ["read_params"]


def read_params(
    method: str, params: Any
) -> types.DidChangeTextDocumentParams | types.HoverParams | None:
    """Return the parameters of `textDocument/didChange` or `textDocument/hover`.

    Args:
        method: The message's.
        params: The message's, as JSON.

    Returns:
        None for any other message, and for one that only the converter should read.
    """
    try:
        if method == types.TEXT_DOCUMENT_DID_CHANGE:
            document, changes = _only(params, "textDocument", "contentChanges")
            uri, version = _only(document, "uri", "version")
            if type(uri) is str and type(version) is int and type(changes) is list:
                return types.DidChangeTextDocumentParams(
                    types.VersionedTextDocumentIdentifier(version, uri),
                    tuple(map(_change, changes)),
                )
        elif method == types.TEXT_DOCUMENT_HOVER:
            document, position = _only(params, "textDocument", "position")
            (uri,) = _only(document, "uri")
            if type(uri) is str:
                return types.HoverParams(types.TextDocumentIdentifier(uri), _position(position))
    except (KeyError, TypeError, ValueError):
        pass
    return None


def _only(value: Any, *keys: str) -> list[Any]:
    """Return the values of an object that has these keys and no others."""
    if type(value) is not dict or len(value) != len(keys):
        raise TypeError
    return [value[key] for key in keys]


def _change(value: Any) -> types.TextDocumentContentChangePartial:
    text, length = value["text"], None
    if "rangeLength" in value:
        # VS Code still gives it.
        length = value["rangeLength"]
        if type(length) is not int:
            raise TypeError
    if type(text) is not str or len(value) != (2 if length is None else 3):
        raise TypeError
    start, end = _only(value["range"], "start", "end")
    span = types.Range(_position(start), _position(end))
    return types.TextDocumentContentChangePartial(span, text, length)


def _position(value: Any) -> types.Position:
    line, character = _only(value, "line", "character")
    if type(line) is not int or type(character) is not int:
        raise TypeError
    return types.Position(line, character)

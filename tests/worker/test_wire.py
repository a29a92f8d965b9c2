"""Frames survive the trip, and broken ones are told apart without being quoted."""

import json

import pytest

from transformers_ls_worker import wire

MESSAGES = [
    wire.Hello(),
    wire.Generate("r1", "/models/x", "Grüße\n\u2028 🙂 \x00", False, 5, 0.7, 3, ("\n\n", "日")),
    wire.Generate("r2", "/models/x", ""),
    wire.Infer("r3", "/models/x", "fill-mask", ("a [MASK]", "🙂"), labels=("é",), top_k=2),
    wire.Output("r3", 1, [{"label": "é", "score": 0.5, "words": [1, None]}]),
    wire.Abort("r1"),
    wire.Shutdown(),
    wire.Ready(1, "3.11", "2.13", "5.23", "cuda:0", "bfloat16", 42),
    wire.Stage("r1", "loading", "Loading x", 40),
    wire.Stage("r1", "running", "Running x"),
    wire.Delta("r1", "é\r\n", 3),
    wire.Done("r1", "eos", 3, 4, 0.5, 1, "cpu", "float32", 0.25, None),
    wire.Done("r1", "abort", 0, 0, None, 0.0, "", ""),
    wire.Failed("", "protocol", "What?"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.kind)
def test_round_trip(message):
    frame = wire.encode(message)
    assert frame.count(b"\n") == 1
    assert frame.endswith(b"\n")
    assert frame.isascii()
    assert wire.decode(frame) == message


def test_unknown_fields_are_ignored():
    body = {"kind": "abort", "run_id": "r", "later": [1]}
    assert wire.decode(json.dumps(body).encode()) == wire.Abort("r")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"secret words",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"[1]",
        b'{"kind": 3}',
        b'{"kind": "other"}',
        b'{"kind": "abort"}',
        b'{"kind": "abort", "run_id": 3}',
        b'{"kind": "abort", "run_id": null}',
        b'{"kind": "delta", "run_id": "r", "text": "secret", "tokens": "1"}',
        b'{"kind": "delta", "run_id": "r", "text": "secret", "tokens": true}',
        b'{"kind": "generate", "run_id": "r", "model": "m", "prompt": "p", "stop": "secret"}',
        b'{"kind": "generate", "run_id": "r", "model": "m", "prompt": "p", "stop": [1]}',
    ],
)
def test_broken_frames(line):
    with pytest.raises(wire.BrokenFrameError) as raised:
        wire.decode(line)
    assert "secret" not in str(raised.value)

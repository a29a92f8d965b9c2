"""Pieces of text: whole characters, and nothing past a stop string."""

import itertools
import random

import pytest

from transformers_ls_worker.text import Detokenizer, StopStrings

TEXTS = [
    "plain words",
    "Grüße, 日本語 🙂👩‍👩‍👧 naïve",
    "\N{REPLACEMENT CHARACTER} stays",
    "",
    "  two  spaces  ",
]


def decode_bytes(ids):
    return bytes(ids).decode("utf-8", errors="replace")


def decode_words(ids):
    """Like SentencePiece: words carry their space, and the first one's is dropped."""
    return "".join(f" {number}" for number in ids)[1:]


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_become_whole_characters(text):
    detokenizer = Detokenizer(decode_bytes, list(b"before"))
    pieces = [detokenizer.push(byte) for byte in text.encode()]
    if "\N{REPLACEMENT CHARACTER}" not in text:
        assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)
    assert "".join(pieces) + detokenizer.finish() == text


def test_an_incomplete_character_comes_at_the_end():
    detokenizer = Detokenizer(decode_bytes, [])
    pieces = [detokenizer.push(byte) for byte in "a🙂".encode()[:-1]]
    assert pieces == ["a", "", "", ""]
    assert detokenizer.finish() == "\N{REPLACEMENT CHARACTER}"
    assert detokenizer.finish() == ""


def test_any_bytes_add_up_to_decoding_at_once():
    rng = random.Random(5)
    for _ in range(300):
        ids = [
            rng.choice([*range(32, 64), *"é日🙂".encode(), 255]) for _ in range(rng.randint(0, 24))
        ]
        detokenizer = Detokenizer(decode_bytes, list(b"x"))
        joined = "".join(detokenizer.push(i) for i in ids) + detokenizer.finish()
        assert joined == decode_bytes(ids)


def test_the_space_before_the_first_word_is_kept():
    detokenizer = Detokenizer(decode_words, [1, 2])
    assert [detokenizer.push(3), detokenizer.push(4)] == [" 3", " 4"]


@pytest.mark.parametrize(
    ("stops", "text", "shown"),
    [
        ([], "all of it", "all of it"),
        ([""], "all of it", "all of it"),
        (["\n"], "one line\nmore", "one line"),
        (["STOP"], "no STO here", "no STO here"),
        (["STOP"], "a STOSTOP b", "a STO"),
        (["aab"], "aaaab", "aa"),
        (["bcd", "abcde"], "abcde", "a"),  # The first to complete.
        (["d", "bcd"], "abcd", "a"),  # Both complete at once: the longer.
        (["日本"], "今日本", "今"),
        (["x"], "x", ""),
        (["end"], "the en", "the en"),
    ],
)
def test_stop_strings_do_not_depend_on_chunks(stops, text, shown):
    rng = random.Random(3)
    chunkings = [[text], list(text)]
    for _ in range(20):
        cuts = sorted({0, len(text), *(rng.randint(0, len(text)) for _ in range(3))})
        chunkings.append([text[a:b] for a, b in itertools.pairwise(cuts)])
    for chunks in chunkings:
        filtered = StopStrings(stops)
        pieces = [filtered.push(chunk) for chunk in chunks]
        if not filtered.hit:
            pieces.append(filtered.finish())
        assert "".join(pieces) == shown
        assert filtered.hit == (shown != text)


def test_text_that_cannot_stop_is_not_held_back():
    filtered = StopStrings(["\nUser:"])
    assert filtered.push("hello\nUs") == "hello"
    assert filtered.push("e the") == "\nUse the"

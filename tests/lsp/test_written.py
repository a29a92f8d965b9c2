"""Long results go over the wire as short ones do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lsprotocol import converters, types

from transformers_ls.lsp.messages import BoundariesResult
from transformers_ls.lsp.written import is_long, write

PLAIN = converters.get_converter().unstructure
PLACE = types.Range(types.Position(1, 2), types.Position(3, 4))


def lenses(number: int) -> list[types.CodeLens]:
    return [types.CodeLens(PLACE, data={"é": n}) for n in range(number)]


def boundaries(number: int) -> BoundariesResult:
    tokens = [f'"\u2028{n}' for n in range(number)]
    return BoundariesResult(1, "m", "ready", True, False, [*range(7 * number)], tokens)


def report(number: int) -> types.RelatedFullDocumentDiagnosticReport:
    problems = [types.Diagnostic(PLACE, f"é {n}", code="c") for n in range(number)]
    return types.RelatedFullDocumentDiagnosticReport(problems, result_id="7")


@pytest.mark.parametrize(
    "result",
    [
        *map(lenses, (0, 1, 32, 33, 64, 500)),
        *map(boundaries, (0, 1, 2_000, 2_001, 9_000)),
        *map(report, (0, 1, 32, 33, 500)),
    ],
)
def test_what_is_written_is_what_the_converter_says(result: Any) -> None:
    assert json.loads(write(result, PLAIN)) == json.loads(json.dumps(PLAIN(result)))


def test_what_is_long() -> None:
    assert is_long(lenses(100))
    assert is_long(boundaries(9_000))
    assert is_long(report(100))
    for short in (lenses(10), boundaries(100), report(10), None, types.Hover("x" * 9_000), [], {}):
        assert not is_long(short)

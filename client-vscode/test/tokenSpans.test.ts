import assert from "node:assert/strict";
import { test } from "node:test";
import { COLOURS, tokenSpans } from "../src/tokenSpans";

const token = (line: number, from: number, to: number, kind: number, index: number) => [
  line,
  from,
  line,
  to,
  4711,
  kind,
  index,
];
const span = (line: number, from: number, to: number) => ({
  start: { line, character: from },
  end: { line, character: to },
});

test("neighbours have different colours, wherever the view begins", () => {
  const tokens = Array.from({ length: 10 }, (_, i) => token(0, i, i + 1, 0, i));
  const whole = tokenSpans(tokens.flat());
  assert.deepEqual(whole.text[0], [span(0, 0, 1), span(0, 4, 5), span(0, 8, 9)]);
  assert.equal(whole.text.flat().length, 10);
  const part = tokenSpans(tokens.slice(3, 6).flat());
  for (let colour = 0; colour < COLOURS; colour += 1) {
    for (const one of part.text[colour] ?? []) {
      assert.ok(whole.text[colour]?.some((other) => other.start.character === one.start.character));
    }
  }
});

test("control tokens and characters of several tokens stand out", () => {
  const spans = tokenSpans(
    [
      token(1, 0, 2, 1, 0),
      token(1, 0, 2, 1, 1),
      token(1, 2, 4, 1, 2),
      token(2, 0, 9, 2, 3),
      token(2, 9, 10, 0, 4),
    ].flat(),
  );
  assert.deepEqual(spans.bytes, [span(1, 0, 2), span(1, 2, 4)]);
  assert.deepEqual(spans.specials, [span(2, 0, 9)]);
  assert.deepEqual(spans.text[0], [span(2, 9, 10)]);
});

test("an answer without tokens, or one that is cut off, has no colours", () => {
  assert.equal(tokenSpans([]).text.flat().length, 0);
  assert.equal(tokenSpans([0, 0, 0, 1, 5]).text.flat().length, 0);
});

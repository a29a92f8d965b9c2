import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlacedMessage, placeMessages, toPrompt, toSource } from "../src/previewPlaces";

const CONTENT = '  say "héllo"\n🌧 ';
const SOURCE = `[{"role": "user", "content": ${JSON.stringify(CONTENT)}}, {"role": "x"}]`;
const PROMPT = `<|user|>\n${CONTENT.trim()}<|end|>\n`;

function span(text: string, part: string): [number, number] {
  const start = text.indexOf(part);
  return [start, start + part.length];
}

const MESSAGE: PlacedMessage = {
  part: [0, PROMPT.length],
  content: span(PROMPT, CONTENT.trim()),
  source: span(SOURCE, SOURCE.slice(1, SOURCE.indexOf("}") + 1)),
  sourceContent: span(SOURCE, JSON.stringify(CONTENT)),
};

test("a place in a content is the same place in the prompt, and back", () => {
  for (const word of ["say", "llo", "🌧"]) {
    const found = toPrompt([MESSAGE], SOURCE, PROMPT, SOURCE.indexOf(word));
    assert.deepEqual(found, { message: MESSAGE.part, offset: PROMPT.indexOf(word) });
    const back = toSource([MESSAGE], SOURCE, PROMPT, PROMPT.indexOf(word));
    assert.deepEqual(back, { message: MESSAGE.source, offset: SOURCE.indexOf(word) });
  }
});

test("outside of the content only the message is known", () => {
  assert.deepEqual(toPrompt([MESSAGE], SOURCE, PROMPT, SOURCE.indexOf("role")), {
    message: MESSAGE.part,
    offset: undefined,
  });
  assert.deepEqual(toSource([MESSAGE], SOURCE, PROMPT, 1), {
    message: MESSAGE.source,
    offset: undefined,
  });
  assert.equal(toPrompt([MESSAGE], SOURCE, PROMPT, SOURCE.length), undefined);
  assert.equal(toSource([], SOURCE, PROMPT, 0), undefined);
});

test("a content that the template rewrote has no exact place", () => {
  const prompt = PROMPT.replace("héllo", "HELLO");
  const found = toPrompt([MESSAGE], SOURCE, prompt, SOURCE.indexOf("say"));
  assert.deepEqual(found, { message: MESSAGE.part, offset: undefined });
});

test("text that is written as it is needs no decoding", () => {
  const [source, prompt] = ["## user\n\n hi there\n", "<u>hi there</u>"];
  const message: PlacedMessage = {
    part: [0, prompt.length],
    content: span(prompt, "hi there"),
    source: [0, source.length],
    sourceContent: [9, source.length],
  };
  const at = { prompt: prompt.indexOf("there"), source: source.indexOf("there") };
  assert.equal(toPrompt([message], source, prompt, at.source)?.offset, at.prompt);
  assert.equal(toSource([message], source, prompt, at.prompt)?.offset, at.source);
});

test("messages without a known place are left out", () => {
  const range = { start: { line: 0, character: 1 }, end: { line: 0, character: 5 } };
  const message = { role: "user", range, contentRange: range };
  const offsetAt = ({ character }: { character: number }) => character;
  assert.deepEqual(placeMessages([message], offsetAt), []);
  assert.deepEqual(placeMessages([{ ...message, start: 2, end: 4 }], offsetAt), [
    { part: [2, 4], content: undefined, source: [1, 5], sourceContent: [1, 5] },
  ]);
});

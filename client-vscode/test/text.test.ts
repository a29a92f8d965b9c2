import assert from "node:assert/strict";
import { test } from "node:test";
import { endOf, escapeMarkdown, placesOf, sameLines, shortened } from "../src/text";

test("places count lines as an editor does, whatever the line ends", () => {
  const text = "ab\r\nc\rd\n\n🌧e";
  assert.deepEqual(placesOf(text, [0, 2, 4, 6, 8, 9, 11, 12]), [
    { line: 0, character: 0 },
    { line: 0, character: 2 },
    { line: 1, character: 0 },
    { line: 2, character: 0 },
    { line: 3, character: 0 },
    { line: 4, character: 0 },
    { line: 4, character: 2 },
    { line: 4, character: 3 },
  ]);
  assert.deepEqual(placesOf("", [0]), [{ line: 0, character: 0 }]);
});

test("the end of a text depends on where it begins", () => {
  assert.deepEqual(endOf({ line: 2, character: 5 }, "abc"), { line: 2, character: 8 });
  assert.deepEqual(endOf({ line: 2, character: 5 }, "\n\nabc"), { line: 4, character: 3 });
});

test("only the lines that matter are compared, and line ends do not", () => {
  assert.ok(sameLines("a\nb\nc", "a\r\nb\r\nX", 0, 1));
  assert.ok(!sameLines("a\nb\nc", "a\nX\nc", 1, 1));
  assert.ok(!sameLines("a\nb", "new\na\nb", 1, 1));
  assert.ok(!sameLines("a\nb\nc", "a\nb", 1, 2));
});

test("names from outside cannot write Markdown", () => {
  assert.equal(escapeMarkdown("[x](command:y)\n|`"), "\\[x\\]\\(command:y\\) \\|\\`");
});

test("long lines are cut", () => {
  assert.equal(shortened("one\ntwo", 20), "one two");
  assert.equal(shortened("abcdef", 4), "abc…");
});

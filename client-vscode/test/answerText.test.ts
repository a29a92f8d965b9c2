import assert from "node:assert/strict";
import { test } from "node:test";
import { plainText } from "../src/answerText";

test("headings, quotes and emphasis keep their shape without their marks", () => {
  const markdown =
    "# Ask about selection\n\n> Who \\*lit\\* it?\n\n**Maria \\#1** · 98 % · line 3\n\n*m · 1.0 s*\n";
  assert.equal(
    plainText(markdown),
    "Ask about selection\n═══════════════════\n\n│ Who *lit* it?\n\nMaria #1 · 98 % · line 3\n\nm · 1.0 s\n",
  );
});

test("cells stand under each other, wide characters too", () => {
  const markdown = "| name | score |\n| :-- | --: |\n| a \\| b | 9 % |\n| 東京 | 98 % |\n";
  assert.equal(plainText(markdown), "name    score\na | b     9 %\n東京     98 %\n");
});

test("a fence holds text as it is, and blank lines do not pile up", () => {
  assert.equal(
    plainText("a\n\n\n\n```text\n| \\x | **y** |\n| - |\n```\nb  \n"),
    "a\n\n| \\x | **y** |\n| - |\nb\n",
  );
});

test("what is escaped is no markup", () => {
  assert.equal(plainText("\\*\\*no\\*\\* \\![x]\\(y\\) \\\\\n"), "**no** ![x](y) \\\n");
});

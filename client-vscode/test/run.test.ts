import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunResult } from "../src/protocol";
import { Run } from "../src/run";

const RESULT: RunResult = {
  runId: "1",
  text: "A summary.",
  edit: {},
  facts: {
    model: "m",
    destination: "this machine (cpu, bfloat16)",
    promptTokens: 9,
    completionTokens: 12,
    timeToFirstToken: 0.1,
    seconds: 0.5,
    tokensPerSecond: 24.2,
    finishReason: "stop",
    parts: 1,
    kept: 0,
  },
};

test("a run waits, writes, and is done", () => {
  const run = new Run("1", "Summarize · notes.md");
  run.stage({ runId: "1", stage: "loading", message: "Loading m…", percent: 40 });
  assert.match(run.headline, /Loading m… 40 %$/);
  run.write("A sum");
  run.write("mary.");
  assert.equal(run.shown, "A summary.");
  run.finish(RESULT);
  assert.equal(
    run.headline,
    "12 tokens · 24 tok/s · first after 100 ms · this machine (cpu, bfloat16) · m",
  );
  assert.ok(run.isAcceptable);
  assert.ok(!run.isActive);
});

test("what came back unchanged is told", () => {
  const run = new Run("1", "Translate · notes.md");
  run.finish({ ...RESULT, facts: { ...RESULT.facts, parts: 5, kept: 2 } });
  assert.match(run.headline, /2 of 5 parts unchanged$/);
});

test("what comes after the end changes nothing", () => {
  const run = new Run("1", "Generate · notes.md");
  run.write("Half");
  run.stop();
  run.write(" more");
  run.finish(RESULT);
  run.fail("no");
  assert.equal(run.shown, "Half");
  assert.match(run.headline, /^Stopped/);
});

test("a run that fails before it writes shows why", () => {
  const run = new Run("1", "Generate · notes.md");
  run.fail("No model.");
  assert.equal(run.shown, "No model.");
  assert.equal(run.text, "");
});

test("an answer is there to be read, not to be accepted", () => {
  const run = new Run("1", "Entities · notes.md");
  const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 5 } };
  run.finish({
    ...RESULT,
    text: "",
    document: { title: "Entities", markdown: "# Entities\n\n**Maria** \\(PER\\)\n" },
    highlights: [{ range, label: "PER", message: "PER (99 %)" }],
  });
  assert.match(run.shown, /^Entities\n═+\n\nMaria \(PER\)/);
  assert.ok(run.isAnswer && run.hasHighlights && !run.isAcceptable);
});

test("a result that has no place any more cannot be accepted", () => {
  const run = new Run("1", "Translate · notes.md");
  run.finish({ ...RESULT, conflict: "The selected text changed." });
  assert.match(run.headline, /^\$\(warning\) The selected text changed\./);
  assert.ok(!run.isAcceptable);
});

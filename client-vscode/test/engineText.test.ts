import assert from "node:assert/strict";
import { test } from "node:test";
import { describeEngine, engineMarkdown, isStoppable } from "../src/engineText";

const BUSY = {
  kind: "local" as const,
  state: "busy" as const,
  pid: 7,
  device: "cpu",
  dtype: "bfloat16",
  model: "a_b",
  runs: ["1", "2"],
};

test("the log has one line for the engine", () => {
  assert.equal(describeEngine(BUSY), "local engine busy · pid 7 · cpu bfloat16 · a_b · 2 runs");
});

test("only an engine that holds memory can be stopped", () => {
  assert.match(engineMarkdown(BUSY), /^Engine: busy · cpu bfloat16 · a\\_b · \[Stop engine\]\(/);
  const stopped = { kind: "local" as const, state: "stopped" as const, runs: [] };
  assert.equal(engineMarkdown(stopped), "Engine: stopped");
  assert.ok(!isStoppable(stopped));
});

test("a model's name makes no link", () => {
  const text = engineMarkdown({ ...BUSY, model: "[x](command:y)" });
  assert.equal(text.match(/(?<!\\)\]\(/g)?.length, 1);
});

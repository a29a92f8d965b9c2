import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunFacts } from "../src/protocol";
import { describeFacts, describeStage, size } from "../src/runFacts";

const FACTS: RunFacts = {
  model: "m",
  destination: "this machine (cuda, bfloat16)",
  promptTokens: 900,
  completionTokens: 1,
  timeToFirstToken: 1.25,
  seconds: 2,
  tokensPerSecond: 4.25,
  finishReason: "stop",
  parts: 1,
  kept: 0,
};

test("sizes are written as people say them", () => {
  assert.deepEqual([0, 999, 1000, 9_940, 269_000_000, 999_600_000, 16.4e9].map(size), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "9.9 kB",
    "269 MB",
    "1.0 GB",
    "16 GB",
  ]);
});

test("a stage says how much of the weights is there", () => {
  const stage = { runId: "1", stage: "loading" as const, message: "Loading m…" };
  assert.equal(describeStage(stage), "Loading m…");
  assert.equal(describeStage({ ...stage, percent: 40.4 }), "Loading m… 40 %");
  assert.equal(
    describeStage({ ...stage, percent: 40, doneBytes: 108e6, totalBytes: 269e6 }),
    "Loading m… 108 MB of 269 MB",
  );
  assert.equal(describeStage({ ...stage, message: "", stage: "starting" }), "starting");
});

test("a text's facts begin with its speed, an answer's with its time", () => {
  assert.equal(
    describeFacts({ ...FACTS, memoryBytes: 1.2e9 }),
    "1 token · 4.3 tok/s · first after 1.3 s · this machine (cuda, bfloat16) · 1.2 GB · m",
  );
  assert.equal(
    describeFacts({ ...FACTS, completionTokens: 0, seconds: 0.31, finishReason: "length" }),
    "310 ms · this machine (cuda, bfloat16) · m · $(warning) cut at the length limit",
  );
});

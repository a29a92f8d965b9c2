import assert from "node:assert/strict";
import { test } from "node:test";
import { isOverWindow, summary, table } from "../src/countText";
import type { ModelCount } from "../src/protocol";

const ready: ModelCount = {
  model: "a/model",
  state: "ready",
  tokens: [1200, 34],
  exact: true,
  window: 2000,
  windowSource: "config.json n_ctx",
};

test("the status bar sums what is selected", () => {
  assert.equal(summary({ ...ready, tokens: [7] }, 0), "7 tokens");
  assert.equal(summary({ ...ready, tokens: [1] }, 1), "1 token selected");
  assert.equal(summary(ready, 2), "1,234 tokens in 2 selections");
  assert.equal(summary({ ...ready, exact: false }, 2), "≈1,234 tokens in 2 selections");
  assert.equal(summary({ ...ready, state: "loading", tokens: [] }, 0), "counting…");
  assert.equal(summary({ ...ready, state: "failed", tokens: [] }, 1), "no tokenizer");
});

test("a text that does not fit into the window is told apart", () => {
  assert.equal(isOverWindow(ready), false);
  assert.equal(isOverWindow({ ...ready, window: 1233 }), true);
  const unknown: ModelCount = { model: "b", state: "ready", tokens: [1], exact: true };
  assert.equal(isOverWindow(unknown), false);
  assert.equal(isOverWindow({ ...ready, state: "loading", tokens: [], window: 0 }), false);
});

test("the tooltip has a row for each tokenizer, and the reason of what is not exact", () => {
  const lines = table(
    [
      ready,
      { model: "b", state: "loading", tokens: [], exact: false },
      { model: "c", state: "failed", tokens: [], exact: false, message: "not | here" },
      { ...ready, model: "d", exact: false, message: "its files are odd" },
    ],
    2,
  ).split("\n");
  assert.equal(lines[0], "Tokens of the 2 selections, each counted by itself");
  const rows = lines.filter((line) => line.startsWith("| ")).slice(1);
  assert.equal(rows.length, 4);
  assert.match(rows[0] ?? "", /1,234 \| 61\\\.7 % of 2,000 \| config\\\.json n\\_ctx/);
  assert.match(rows[1] ?? "", /loading/);
  assert.match(rows[2] ?? "", /not \\\| here/);
  assert.equal(lines.at(-1), "d: ≈ since its files are odd");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Coalesced } from "../src/flow";

test("requests during a run become one more run", async () => {
  const releases: (() => void)[] = [];
  const job = new Coalesced(() => new Promise((resolve) => releases.push(resolve)));
  const first = job.request();
  const others = [job.request(), job.request(), job.request()];
  assert.equal(releases.length, 1);
  releases[0]?.();
  await first;
  await new Promise(setImmediate);
  assert.equal(releases.length, 2);
  releases[1]?.();
  await Promise.all(others);
  assert.equal(releases.length, 2);
});

test("a run that fails does not keep the next from running", async () => {
  let runs = 0;
  const job = new Coalesced(() => {
    runs += 1;
    return runs === 1 ? Promise.reject(new Error("no")) : Promise.resolve();
  });
  const first = job.request();
  const second = job.request();
  await assert.rejects(first);
  await second;
  assert.equal(runs, 2);
});

test("tries come later and later, and end", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let tries = 0;
  const backoff = new Backoff([10, 100], () => {
    tries += 1;
    backoff.request();
  });
  backoff.request();
  context.mock.timers.tick(10);
  assert.equal(tries, 1);
  context.mock.timers.tick(99);
  assert.equal(tries, 1);
  context.mock.timers.tick(1);
  assert.equal(tries, 2);
  context.mock.timers.tick(1000);
  assert.equal(tries, 2);
  backoff.dispose();
  backoff.request();
  context.mock.timers.tick(10);
  assert.equal(tries, 3);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, explain, isSameEnd, lookUp, probeInterpreter } from "../src/serverLookup";

test("a setting is the only candidate", () => {
  const sources = {
    setting: ["conda", "run", "python"],
    pythonExtension: "/env/python",
    last: { command: "/old/python", args: [] },
  };
  assert.deepEqual(candidates(sources), [
    { source: "setting", command: "conda", args: ["run", "python"] },
  ]);
});

test("the Python extension's choice comes before the path", () => {
  const found = candidates({ setting: [], pythonExtension: "/env/python", last: undefined });
  assert.deepEqual(
    found.map(({ command }) => command),
    ["/env/python", "python3", "python"],
  );
});

test("the first interpreter that has the package is taken", async () => {
  const lookup = await lookUp(
    { setting: [], pythonExtension: "/env/python", last: undefined },
    ({ command }) => Promise.resolve(command === "python3" ? undefined : "not there"),
  );
  assert.ok(lookup.found);
  assert.equal(lookup.candidate.command, "python3");
});

test("a failure says what was tried and what to do", async () => {
  const lookup = await lookUp({
    setting: ["/no/such/python"],
    pythonExtension: undefined,
    last: undefined,
  });
  assert.ok(!lookup.found);
  assert.match(explain(lookup), /\/no\/such\/python \(setting\): no such program/);
  assert.match(explain(lookup), /pip install transformers-ls/);
});

test("an interpreter that is not Python is told as it is", async () => {
  const problem = await probeInterpreter({ source: "setting", command: "false", args: [] });
  assert.ok(problem);
});

test("what ran the server last comes last, and is the same wherever it is known from", async () => {
  const onlyThere = ({ command }: { command: string }) =>
    Promise.resolve(command === "/env/python" ? undefined : "not there");
  const last = { command: "/env/python", args: [] };
  const empty = { setting: [], pythonExtension: undefined };
  const named = await lookUp({ ...empty, setting: ["/env/python"], last }, onlyThere);
  const remembered = await lookUp({ ...empty, last }, onlyThere);
  const nowhere = await lookUp({ ...empty, last: undefined }, onlyThere);
  assert.ok(remembered.found);
  assert.equal(remembered.candidate.source, "last time");
  assert.ok(isSameEnd(named, remembered));
  assert.ok(!isSameEnd(named, nowhere));
  assert.ok(!isSameEnd(undefined, nowhere));
});

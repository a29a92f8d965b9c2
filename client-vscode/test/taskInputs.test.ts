import assert from "node:assert/strict";
import { test } from "node:test";
import { labelsIn, problemOfLabels } from "../src/labels";
import { labelOf, paragraphsOf } from "../src/paragraphs";

test("labels are read once each, and one is not enough", () => {
  assert.deepEqual(labelsIn(" bug, new feature,,bug , praise"), ["bug", "new feature", "praise"]);
  assert.equal(problemOfLabels("bug, praise"), undefined);
  assert.match(problemOfLabels("bug, bug,") ?? "", /two labels/);
});

test("paragraphs are told apart by blank lines, without the one that is selected", () => {
  const lines = ["one", "", "two", "three", "  ", "", "four"];
  const found = paragraphsOf(lines, { first: 0, last: 0 });
  assert.deepEqual(found, [
    { first: 2, last: 3, text: "two\nthree" },
    { first: 6, last: 6, text: "four" },
  ]);
  assert.equal(labelOf({ first: 2, last: 3, text: "two\nthree" }), "two three");
  assert.deepEqual(paragraphsOf(lines, { first: 3, last: 6 }), [
    { first: 0, last: 0, text: "one" },
  ]);
});

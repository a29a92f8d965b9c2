import assert from "node:assert/strict";
import { test } from "node:test";
import { decodedOffset, decodeLiteral, literalOffset } from "../src/jsonString";

const TEXT = 'a"b\n🌧é\u2028\ud800z';

for (const literal of [
  JSON.stringify(TEXT),
  '"a\\u0022b\\u000a\\ud83c\\udf27\\u00e9\\u2028\\uD800z"',
]) {
  test(`every place of ${literal} is found again`, () => {
    assert.equal(decodeLiteral(literal), TEXT);
    for (let offset = 0; offset <= TEXT.length; offset++) {
      const place = literalOffset(literal, offset);
      const back = decodedOffset(literal, place);
      // Between the halves of a character that is written as itself there is no place.
      const inside = literal.includes("🌧") && offset === TEXT.indexOf("🌧") + 1;
      assert.equal(back, inside ? offset + 1 : offset);
      if (!inside) {
        const rest = `"${literal.slice(place)}`;
        assert.equal(decodeLiteral(rest), TEXT.slice(offset));
      }
    }
  });
}

test("places inside of an escape belong to its beginning", () => {
  const literal = '"ab\\u0041c"';
  assert.deepEqual(
    [3, 4, 8, 9, 10].map((offset) => decodedOffset(literal, offset)),
    [2, 2, 2, 3, 4],
  );
});

test("what is half-typed has places too", () => {
  assert.equal(decodedOffset('"ab', 3), 2);
  assert.equal(decodedOffset('"ab\\', 4), 3);
  assert.equal(decodedOffset('"', 1), 0);
  assert.equal(literalOffset('"ab', 9), 3);
  assert.equal(decodeLiteral('"ab'), undefined);
  assert.equal(decodeLiteral("plain"), undefined);
});

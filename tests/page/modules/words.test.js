import assert from "node:assert/strict";
import { test } from "node:test";
import { Words } from "../../../runtime/page/modules/words.js";

const words = new Words(
  [
    { name: "hair", words: ["blond", "blue", "light blue"] },
    { name: "eyes", words: ["blue", "green"] },
  ],
  [
    [0, 0, 6],
    [0, 1, 2],
    [1, 0, 1],
    [2, 1, 1],
  ],
);

test("a text is read in its many forms", () => {
  const texts = [
    "blonde hair, Green eyes.",
    "eyes=green,hair=blond",
    '{"hair":"blond","eye":"green"}',
  ];
  for (const text of [...texts, "hair blond eyes green", "ＢＬＯＮＤ green"]) {
    assert.deepEqual(words.parse(text), [0, 1], text);
  }
  assert.deepEqual(words.parse("light blue"), [2, null]);
});

test("what cannot be read is said in one sentence", () => {
  const sentences = {
    "": "a text is '', expected words such as 'blond hair blue eyes'",
    blue: "'blue' may mean blue hair or blue eyes, expected one of them",
    "blond blue hair": "'blond blue hair' names two words of hair, expected one",
    "blue hare":
      "'hare' is no word of hair or eyes: did you mean hair? " +
      "Expected for hair one of blond, blue, light blue; for eyes one of blue, green",
    "azure hair": "'azure' is no word of hair, expected one of blond, blue, light blue",
    "geren eyes": "'geren' is no word of eyes: did you mean green? Expected one of blue, green",
    "nose=red": "'nose' is no group of words, expected one of hair, eyes",
  };
  for (const [text, message] of Object.entries(sentences)) {
    assert.throws(() => words.parse(text), { name: "UserError", message });
  }
});

test("a description is read back", () => {
  for (const choice of [
    [0, 0],
    [1, 0],
    [2, 1],
  ]) {
    assert.deepEqual(words.parse(words.describe(choice)), choice);
  }
});

test("words are drawn as often as pictures have them", () => {
  const drawn = Array.from({ length: 4000 }, (_, index) => words.draw(7n, index));
  const share = (/** @type {number} */ hair) => drawn.filter(([h]) => h === hair).length / 4000;
  assert.ok(Math.abs(share(0) - 0.8) < 0.03);
  assert.ok(Math.abs(share(1) - 0.1) < 0.03);
  assert.ok(drawn.every(([hair, eyes]) => hair === 0 || (hair === 1) === (eyes === 0)));
});

test("what is given stays, and the rest is drawn from what goes with it", () => {
  for (let index = 0; index < 50; index += 1) {
    assert.deepEqual(words.draw(7n, index, [2, null]), [2, 1]);
    assert.deepEqual(words.draw(7n, index, [2, 0]), [2, 0]);
  }
});

test("an open group of a condition is filled, a mixture stays as it is", () => {
  const mixed = Float32Array.of(0, 0.25, 0.75, 0, 0);
  assert.deepEqual(words.filled(7n, 0, mixed), Float32Array.of(0, 0.25, 0.75, 0, 1));
  assert.deepEqual(words.oneHot([-1, 1]), Float32Array.of(0, 0, 0, 0, 1));
});

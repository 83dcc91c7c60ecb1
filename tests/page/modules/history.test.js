import assert from "node:assert/strict";
import { test } from "node:test";
import { History, MOST_ENTRIES } from "../../../runtime/page/modules/history.js";
import { there } from "../../../runtime/page/modules/walk_panel.js";

test("the newest is first, each is there once, and the oldest go", () => {
  const history = new History();
  const texts = () => history.entries.map(({ text }) => text);
  assert.deepEqual(
    ["a", "b", "a"].map((text) => history.add({ text })),
    [true, true, false],
  );
  assert.deepEqual(texts(), ["b", "a"]);
  for (let number = 0; number < MOST_ENTRIES; number++) {
    history.add({ text: String(number) });
  }
  assert.equal(texts().length, MOST_ENTRIES);
  assert.deepEqual([texts()[0], texts().includes("a")], [String(MOST_ENTRIES - 1), false]);
});

test("a slider on its way makes one entry, and what was there before stays", () => {
  const history = new History();
  const mix = "model=m&mix=red+hair+blue+eyes&percent=";
  const near = "model=m&view=near&degrees=";
  for (const [added, kept] of [
    [`${mix}50%2C50`, 1],
    [`${mix}49%2C50`, 2],
    [`${mix}48%2C50`, 2], // in place of the one before
    [`${mix}48%2C51`, 3], // another slider
    [`${mix}48%2C52`, 3],
    [`${mix}40%2C40`, 4], // both at once are no slider
    [`${near}20`, 5],
    [`${near}25`, 6],
    [`${near}30`, 6],
    [`${near}35&seed=1`, 7],
  ]) {
    history.add({ text: added });
    assert.deepEqual([history.entries[0].text, history.entries.length], [added, kept]);
  }
});

test("a walk goes there and back", () => {
  const places = Array.from({ length: 9 }, (_, frame) => there(frame, 4));
  assert.deepEqual(places, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
  assert.deepEqual(
    [0, 1, 2].map((frame) => there(frame, 2)),
    [0, 1, 0],
  );
});

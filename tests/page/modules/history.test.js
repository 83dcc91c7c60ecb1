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

test("a walk goes there and back", () => {
  const places = Array.from({ length: 9 }, (_, frame) => there(frame, 4));
  assert.deepEqual(places, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
  assert.deepEqual(
    [0, 1, 2].map((frame) => there(frame, 2)),
    [0, 1, 0],
  );
});

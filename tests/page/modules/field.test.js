import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../../runtime/page/modules/errors.js";
import { fill, tried } from "../../../runtime/page/modules/field.js";

/** What is used of an element, as node has none. */
function element() {
  return { value: "", textContent: "", dataset: {}, setAttribute() {}, removeAttribute() {} };
}

test("what somebody is typing stays until the state is another", () => {
  const [field, place] = [element(), element()];
  fill(field, place, "7");
  field.value = "71";
  fill(field, place, "7"); // as where the window gets another size
  assert.equal(field.value, "71");
  fill(field, place, "8");
  assert.equal(field.value, "8");
});

test("what was read is shown in the page's own words", async () => {
  const [field, place] = [element(), element()];
  fill(field, place, "blue hair");
  field.value = "hair=blue";
  await tried(field, place, () => {});
  fill(field, place, "blue hair");
  assert.equal(field.value, "blue hair");
});

test("what is wrong stays, in any language, until it is mended or the state is another", async () => {
  const [field, place] = [element(), element()];
  fill(field, place, "blue hair");
  field.value = "blu hair";
  await tried(field, place, () => {
    throw new UserError("it is wrong");
  });
  fill(field, place, "藍色頭髮", "blue hair");
  assert.deepEqual([field.value, place.textContent], ["blu hair", "It is wrong."]);
  fill(field, place, "紅色頭髮", "red hair");
  assert.deepEqual([field.value, place.textContent], ["紅色頭髮", ""]);
});

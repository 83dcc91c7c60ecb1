import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../../runtime/page/modules/errors.js";
import { drawLatents, MAX_SEED, parseSeed } from "../../../runtime/page/modules/latents.js";

const COUNT = 1_000_000;

test("a latent depends on the seed and its number alone", () => {
  const all = drawLatents(3n, 10, 7, "normal");
  assert.deepEqual(drawLatents(3n, 4, 7, "normal", 5), all.subarray(35, 63));
  assert.deepEqual(drawLatents(3n, 4, 5, "normal").subarray(5, 10), all.subarray(7, 12));
  assert.notDeepEqual(drawLatents(4n, 10, 7, "normal"), all);
});

test("normal latents have the moments and the tail of the standard normal distribution", () => {
  const values = drawLatents(1n, 1, COUNT, "normal");
  const mean = (/** @type {number} */ power) =>
    values.reduce((sum, x) => sum + x ** power, 0) / COUNT;
  // Each within five standard errors.
  assert.ok(Math.abs(mean(1)) < 5e-3);
  assert.ok(Math.abs(mean(2) - 1) < 5 * Math.SQRT2 * 1e-3);
  assert.ok(Math.abs(mean(3)) < 5 * Math.sqrt(15) * 1e-3);
  assert.ok(Math.abs(mean(4) - 3) < 5 * Math.sqrt(96) * 1e-3);
  const beyond = values.filter((x) => Math.abs(x) > 3.7).length;
  assert.ok(Math.abs(beyond - 215.6) < 5 * Math.sqrt(215.6)); // 2 (1 - Phi(3.7)) = 2.156e-4
});

test("uniform latents are from -1 to 1 with the moments of that distribution", () => {
  const values = drawLatents(1n, 1, COUNT, "uniform");
  const squares = values.reduce((sum, x) => sum + x * x, 0) / COUNT;
  assert.ok(values.every((x) => x >= -1 && x <= 1));
  assert.ok(Math.abs(squares - 1 / 3) < 5 * Math.sqrt(4 / 45) * 1e-3);
});

test("a seed or a number that is out of range is refused", () => {
  assert.equal(parseSeed(String(MAX_SEED)), MAX_SEED);
  assert.throws(() => parseSeed("3.5"), {
    name: "UserError",
    message: "seed is '3.5', expected a whole number from 0 to 9223372036854775807",
  });
  assert.throws(() => drawLatents(MAX_SEED + 1n, 1, 1, "normal"), UserError);
  assert.throws(() => drawLatents(-1n, 1, 1, "normal"), UserError);
  assert.throws(() => drawLatents(0n, 2, 1, "normal", 2n ** 64n - 1n), RangeError);
});

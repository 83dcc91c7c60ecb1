import assert from "node:assert/strict";
import { test } from "node:test";
import { enlarge } from "../../../runtime/page/modules/enlarge.js";
import { sheet } from "../../../runtime/page/modules/sheet.js";

const random = (width, height) => ({
  width,
  height,
  rgb: Uint8ClampedArray.from({ length: 3 * width * height }, (_, at) => (at * 7919) % 256),
});

test("by a factor of one nothing changes", () => {
  const given = random(5, 4);
  assert.deepEqual(enlarge(given, 1, true), given);
  assert.deepEqual(enlarge(given, 1, false), given);
});

test("squares repeat every pixel", () => {
  const given = random(3, 2);
  for (const factor of [2, 3, 8]) {
    const { width, height, rgb } = enlarge(given, factor, false);
    assert.deepEqual([width, height], [3 * factor, 2 * factor]);
    for (let place = 0; place < width * height; place++) {
      const [x, y] = [place % width, Math.floor(place / width)];
      const from = 3 * (Math.floor(y / factor) * 3 + Math.floor(x / factor));
      assert.deepEqual(rgb.slice(3 * place, 3 * place + 3), given.rgb.slice(from, from + 3));
    }
  }
});

test("the smooth way keeps a flat colour, and the slope of a ramp", () => {
  const flat = { width: 4, height: 4, rgb: new Uint8ClampedArray(48).fill(77) };
  assert.ok(enlarge(flat, 5, true).rgb.every((value) => value === 77));

  const ramp = { width: 8, height: 1, rgb: new Uint8ClampedArray(24) };
  for (let at = 0; at < 24; at++) {
    ramp.rgb[at] = 20 * Math.floor(at / 3) + 40;
  }
  const large = enlarge(ramp, 4, true);
  for (let x = 8; x < 24; x++) {
    const expected = 20 * ((x + 0.5) / 4 - 0.5) + 40; // cubic convolution gives lines exactly
    assert.ok(Math.abs(large.rgb[3 * x] - expected) <= 0.5, `pixel ${x}`);
  }
});

test("the smooth way goes through the pixels in the middle of odd factors", () => {
  const given = random(6, 6);
  const large = enlarge(given, 3, true);
  for (let place = 0; place < 36; place++) {
    const [x, y] = [3 * (place % 6) + 1, 3 * Math.floor(place / 6) + 1];
    assert.equal(large.rgb[3 * (y * 18 + x)], given.rgb[3 * place]);
  }
});

test("a sheet has its pictures in reading order, white between", () => {
  const tiles = [1, 2, 3, 4].map((value) => ({
    width: 2,
    height: 1,
    rgb: new Uint8Array(6).fill(value),
  }));
  const { width, height, rgb } = sheet(tiles, 2, 1);
  assert.deepEqual([width, height], [5, 3]);
  const red = Array.from({ length: 15 }, (_, place) => rgb[3 * place]);
  assert.deepEqual(red, [1, 1, 255, 2, 2, 255, 255, 255, 255, 255, 3, 3, 255, 4, 4]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { lerp, slerp, walk } from "../../../runtime/page/modules/interpolation.js";
import { drawLatents } from "../../../runtime/page/modules/latents.js";

const SIZE = 64;
const latents = drawLatents(5n, 3, SIZE, "normal");
const waypoints = [0, 1, 2].map((row) => latents.slice(row * SIZE, (row + 1) * SIZE));
const [start, end] = waypoints;

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
const dot = (a, b) => Array.from(a, (x, at) => x * b[at]).reduce((sum, x) => sum + x, 0);

for (const path of [lerp, slerp]) {
  test(`${path.name} begins and ends with the latents themselves`, () => {
    assert.deepEqual(path(start, end, [0]), start);
    assert.deepEqual(path(start, end, [1]), end);
  });

  test(`a walk by ${path.name} passes each waypoint once`, () => {
    const points = walk(waypoints, 5, path);
    assert.equal(points.length, 9 * SIZE);
    for (const [index, waypoint] of waypoints.entries()) {
      assert.deepEqual(points.slice(4 * index * SIZE, (4 * index + 1) * SIZE), waypoint);
    }
  });
}

test("lerp's middle is the mean", () => {
  assert.deepEqual(
    lerp(start, end, [0.5]),
    start.map((x, at) => 0.5 * x + 0.5 * end[at]),
  );
});

test("slerp turns evenly at one length on a sphere", () => {
  const scale = Math.sqrt(dot(start, start) / dot(end, end));
  const other = end.map((x) => x * scale);
  const length = dot(start, start);
  const angle = Math.acos(dot(start, other) / length);
  for (const fraction of [0.1, 0.25, 0.5, 0.9]) {
    const point = slerp(start, other, [fraction]);
    assert.ok(Math.abs(dot(point, point) / length - 1) < 1e-6);
    assert.ok(Math.abs(Math.acos(dot(start, point) / length) - fraction * angle) < 1e-5);
  }
});

test("slerp is lerp where there is no one great circle", () => {
  const halves = [0.25, 0.5];
  for (const other of [start, start.map((x) => -x), new Float32Array(SIZE)]) {
    assert.deepEqual(slerp(start, other, halves), lerp(start, other, halves));
  }
});

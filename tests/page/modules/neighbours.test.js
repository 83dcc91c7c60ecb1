import assert from "node:assert/strict";
import { test } from "node:test";
import { drawLatents } from "../../../runtime/page/modules/latents.js";
import { NEIGHBOURS, neighbour } from "../../../runtime/page/modules/neighbours.js";

const latent = drawLatents(3n, 1, 128, "normal");
const dot = (a, b) => a.reduce((sum, value, place) => sum + value * b[place], 0);
const length = (a) => Math.sqrt(dot(a, a));

test("neighbours are as long as the latent, and at the angle that was asked for", () => {
  for (const degrees of [5, 20, 60, 90]) {
    for (let number = 1; number <= NEIGHBOURS; number++) {
      const found = neighbour(latent, { number, degrees }, 3n, 0, "normal");
      const cosine = dot(found, latent) / length(found) / length(latent);
      assert.ok(Math.abs(length(found) / length(latent) - 1) < 1e-6);
      assert.ok(Math.abs((Math.acos(cosine) / Math.PI) * 180 - degrees) < 1e-3);
    }
  }
});

test("all neighbours are others, and the same ones again", () => {
  const steps = [0, 1].flatMap((depth) =>
    Array.from({ length: NEIGHBOURS }, (_, place) => [place + 1, depth]),
  );
  const draw = () =>
    steps.map(([number, depth]) =>
      neighbour(latent, { number, degrees: 20 }, 3n, depth, "normal").join(),
    );
  assert.equal(new Set(draw()).size, 2 * NEIGHBOURS);
  assert.deepEqual(draw(), draw());
});

test("uniform latents stay within their range", () => {
  const uniform = drawLatents(3n, 1, 128, "uniform");
  const found = neighbour(uniform, { number: 1, degrees: 60 }, 3n, 0, "uniform");
  assert.ok(found.every((value) => Math.abs(value) <= 1));
});

test("where all is zero there is nowhere to turn to", () => {
  const zero = new Float32Array(4);
  assert.deepEqual(neighbour(zero, { number: 1, degrees: 20 }, 0n, 0, "normal"), zero);
});

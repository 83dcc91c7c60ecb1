/**
 * Neighbours of a face: small steps from its latent on the sphere that it lies on.
 *
 * The directions are counted, not carried, like all randomness here: step NUMBER at DEPTH (how many
 * steps came before it) of a seed is the same on every machine.
 */

import { Stream } from "./latents.js";
import { Philox } from "./philox.js";

/**
 * @typedef {{number: number, degrees: number}} Step
 *   Which of the neighbours, 1 to NEIGHBOURS, and how far away it is.
 */

export const NEIGHBOURS = 24; // of one face, numbered from 1

/**
 * Take a step: turn the latent by the angle, towards a direction that is drawn.
 *
 * Of latents drawn uniformly, what leaves [-1, 1] is put back on its edge.
 *
 * @param {Float32Array} latent
 * @param {Step} step
 * @param {bigint} seed
 * @param {number} depth how many steps came before
 * @param {"normal" | "uniform"} distribution
 * @returns {Float32Array} as long as the latent, to the rounding
 */
export function neighbour(latent, { number, degrees }, seed, depth, distribution) {
  const index = BigInt(depth * NEIGHBOURS + number);
  const draws = new Philox(seed, Stream.NEIGHBOUR, index);
  const direction = Float64Array.from(latent, () => draws.standardNormal());
  const square = dot(latent, latent);
  if (square === 0) {
    return latent;
  }
  const along = dot(direction, latent) / square;
  const across = direction.map((value, place) => value - along * latent[place]);
  const scale = Math.sqrt(square / dot(across, across));
  const angle = (degrees / 180) * Math.PI;
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle) * scale];
  const turned = latent.map((value, place) => cosine * value + sine * across[place]);
  return distribution === "uniform"
    ? turned.map((value) => Math.min(1, Math.max(-1, value)))
    : turned;
}

/**
 * @param {Float32Array | Float64Array} a
 * @param {Float32Array | Float64Array} b
 */
function dot(a, b) {
  let sum = 0;
  for (let place = 0; place < a.length; place++) {
    sum += a[place] * b[place];
  }
  return sum;
}

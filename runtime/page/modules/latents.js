/** Seeds to latents, as edgegan.runtime.latent draws them. */

import { quoted, UserError } from "./errors.js";
import { Philox } from "./philox.js";

export const MAX_SEED = 2n ** 63n - 1n;

/** What randomness is drawn for: numbers that never change. */
export const Stream = Object.freeze({ LATENT: 0, CONDITION: 16, NEIGHBOUR: 24 });

/** @typedef {"normal" | "uniform"} Distribution */

/** As many digits as Python takes for a number. */
const DIGITS = /^[0-9]{1,1000}$/;

/**
 * Read a seed that somebody wrote.
 *
 * @param {string} text
 * @returns {bigint} 0 to MAX_SEED
 * @throws {UserError} it is none
 */
export function parseSeed(text) {
  if (!DIGITS.test(text)) {
    throw wrongSeed(text);
  }
  return checkSeed(BigInt(text));
}

/**
 * Return a seed as it is.
 *
 * @param {bigint} seed
 * @returns {bigint}
 * @throws {UserError} it is not 0 to MAX_SEED
 */
export function checkSeed(seed) {
  if (seed < 0n || seed > MAX_SEED) {
    throw wrongSeed(String(seed));
  }
  return seed;
}

/**
 * Draw latents `first` to `first + count - 1` of a seed. Latent k depends on the seed and k alone.
 *
 * @param {bigint} seed 0 to MAX_SEED
 * @param {number} count
 * @param {number} size how many numbers a latent has
 * @param {Distribution} distribution the standard normal, or the uniform one over [-1, 1)
 * @param {bigint | number} first `first + count` is at most 2^64
 * @returns {Float32Array} (count, size): one latent after the other
 * @throws {UserError} the seed is not 0 to MAX_SEED
 * @throws {RangeError} a latent is not 0 to 2^64 - 1
 */
export function drawLatents(seed, count, size, distribution, first = 0n) {
  checkSeed(seed);
  const start = BigInt(first);
  const latents = new Float32Array(count * size);
  for (let row = 0; row < count; row += 1) {
    const philox = new Philox(seed, Stream.LATENT, start + BigInt(row));
    for (let at = row * size; at < (row + 1) * size; at += 1) {
      // Drawn as float64, and rounded as it is stored.
      latents[at] = distribution === "normal" ? philox.standardNormal() : 2 * philox.random() - 1;
    }
  }
  return latents;
}

/**
 * @param {string} found
 * @returns {UserError}
 */
function wrongSeed(found) {
  return new UserError(`seed is ${quoted(found)}, expected a whole number from 0 to ${MAX_SEED}`);
}

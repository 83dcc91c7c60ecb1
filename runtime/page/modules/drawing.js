/** From a state to the numbers that a model draws: latents, and conditions where it takes words. */

import { lerp, slerp, walk } from "./interpolation.js";
import { joined } from "./joined.js";
import { drawLatents } from "./latents.js";
import { NEIGHBOURS, neighbour } from "./neighbours.js";
import { faceOf, TILES } from "./state.js";

/** @typedef {import("./parts.js").ModelFacts} ModelFacts */
/** @typedef {import("./state.js").Face} Face */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./words.js").Words} Words */

/**
 * @typedef {object} Numbers
 * @property {number} count of pictures
 * @property {Float32Array} latents (count, latentSize)
 * @property {Float32Array | null} conditions (count, words.size)
 */

export const MIDDLE = (TILES - 1) / 2; // where a face stands among its neighbours

/**
 * @param {ModelFacts} facts
 * @param {Words | null} words
 * @param {State} state
 * @returns {Numbers} of all pictures that its view shows
 */
export function numbersOf(facts, words, state) {
  switch (state.view) {
    case "face":
      return alone(facts, words, state);
    case "grid":
      return grid(facts, words, faceOf(state));
    case "near":
      return neighbourhood(facts, words, state);
    case "walk":
      return state.to === null
        ? alone(facts, words, state)
        : path(facts, words, state, state.to, state.frames);
  }
}

/**
 * @param {ModelFacts} facts
 * @param {Face} face
 * @returns {Float32Array} (latentSize,)
 */
export function latentOf({ latentSize, distribution }, face) {
  const { seed, noise, steps } = face;
  const start = noise ?? drawLatents(seed, 1, latentSize, distribution, face.face);
  return steps.reduce(
    (latent, step, depth) => neighbour(latent, step, seed, depth, distribution),
    start,
  );
}

/**
 * @param {Words} words
 * @param {Face} face
 * @param {bigint} [index] of a face of the same seed
 * @returns {Float32Array} (words.size,): its words, those left open as they are drawn, mixed
 */
export function conditionOf(words, face, index = face.face) {
  const named = words.oneHot(face.choice.map((number) => number ?? -1));
  const first = words.parts(words.filled(face.wordSeed ?? face.seed, index, named));
  const second = words.parts(words.oneHot(face.mixes.map((mix) => mix?.word ?? -1)));
  const mixed = face.mixes.map((mix, group) =>
    mix === null ? first[group] : lerp(first[group], second[group], [mix.percent / 100]),
  );
  return joined(Float32Array, mixed);
}

/** @param {ModelFacts} facts @param {Words | null} words @param {Face} face @returns {Numbers} */
export function alone(facts, words, face) {
  return {
    count: 1,
    latents: latentOf(facts, face),
    conditions: words && conditionOf(words, face),
  };
}

/** The face of the seed and those after it. @param {ModelFacts} facts @param {Words | null} words @param {Face} face */
function grid(facts, words, face) {
  const { latentSize, distribution } = facts;
  const latents = drawLatents(face.seed, TILES, latentSize, distribution, face.face);
  const indices = Array.from({ length: TILES }, (_, place) => face.face + BigInt(place));
  const conditions =
    words &&
    joined(
      Float32Array,
      indices.map((index) => conditionOf(words, face, index)),
    );
  return { count: TILES, latents, conditions };
}

/**
 * The face in the middle of its neighbours, which have its words.
 *
 * @param {ModelFacts} facts
 * @param {Words | null} words
 * @param {State} state
 * @returns {Numbers}
 */
function neighbourhood(facts, words, state) {
  const middle = latentOf(facts, state);
  const near = Array.from({ length: NEIGHBOURS }, (_, place) => {
    const step = { number: place + 1, degrees: state.degrees };
    return neighbour(middle, step, state.seed, state.steps.length, facts.distribution);
  });
  near.splice(MIDDLE, 0, middle);
  const condition = words && conditionOf(words, state);
  return {
    count: TILES,
    latents: joined(Float32Array, near),
    conditions:
      condition &&
      joined(
        Float32Array,
        near.map(() => condition),
      ),
  };
}

/**
 * The walk from a face to another: on the great circle from noise to noise, and straight from words
 * to words, as edgegan.runtime.interpolate walks.
 *
 * @param {ModelFacts} facts
 * @param {Words | null} words
 * @param {Face} from
 * @param {Face} to
 * @param {number} frames
 * @returns {Numbers}
 */
function path(facts, words, from, to, frames) {
  return {
    count: frames,
    latents: walk([latentOf(facts, from), latentOf(facts, to)], frames, slerp),
    conditions: words && walk([conditionOf(words, from), conditionOf(words, to)], frames, lerp),
  };
}

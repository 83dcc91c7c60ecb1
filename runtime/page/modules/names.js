/** Names of the files that the page saves. */

import { faceOf } from "./state.js";

/**
 * @param {import("./studio.js").Studio} studio
 * @param {string} ending what it is, such as "noise.png"
 * @returns {string} such as cgan-seed7-face0-noise.png
 */
export function fileName({ state }, ending) {
  const { seed, face, noise, steps } = faceOf(state);
  const from = noise === null ? `seed${seed}-face${face}` : "own-noise";
  const near = steps.length > 0 ? `-near${steps.map(({ number }) => number).join("-")}` : "";
  return `${state.model}-${from}${near.slice(0, 60)}-${ending}`;
}

/** Names of the files that the page saves. */

/**
 * @param {import("./studio.js").Studio} studio
 * @param {string} ending what it is, such as "noise.png"
 * @returns {string} such as cgan-seed7-face0-noise.png
 */
export function fileName({ state }, ending) {
  const { model, seed, face, noise, steps } = state;
  const from = noise === null ? `seed${seed}-face${face}` : "own-noise";
  const near = steps.length > 0 ? `-near${steps.map(({ number }) => number).join("-")}` : "";
  return `${model}-${from}${near.slice(0, 60)}-${ending}`;
}

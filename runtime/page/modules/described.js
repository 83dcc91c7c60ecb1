/** What is shown, in words: captions, and names for those who do not see the pictures. */

import { say, wordName } from "./languages.js";

/** @typedef {import("./state.js").Face} Face */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./words.js").Words} Words */

/**
 * @param {Words} words
 * @param {Float32Array} condition (words.size,)
 * @returns {string} "blue hair, red eyes"; of mixtures the parts
 */
export function describedWords(words, condition) {
  const parts = words.parts(condition);
  const groups = words.groups.map(({ name, words: list }, group) => {
    const part = parts[group];
    const used = list.flatMap((word, place) =>
      part[place] === 0 ? [] : [{ word: wordName(word), percent: Math.round(100 * part[place]) }],
    );
    const shown = used.map(({ word, percent }) =>
      used.length > 1 ? `${word} ${say("percent", { percent })}` : word,
    );
    return say(used.length > 1 ? "mixedGroup" : "wordOfGroup", {
      word: shown.join(" + "),
      group: wordName(name),
    });
  });
  return groups.join(say("and"));
}

/**
 * @param {Face} face
 * @returns {string} where its noise is from
 */
function describedNoise({ seed, face, noise, steps }) {
  const values = { seed, face, steps: steps.length };
  if (noise !== null) {
    return say(steps.length > 0 ? "captionOwnNear" : "captionOwn");
  }
  const near = steps.length === 1 ? "captionNear1" : "captionNear";
  return say(steps.length > 0 ? near : "captionFace", values);
}

/**
 * @param {Face} face
 * @param {Words | null} words
 * @param {Float32Array | null} condition of the face
 * @returns {string} where its noise is from, and its words
 */
export function describedFace(face, words, condition) {
  const noise = describedNoise(face);
  if (words === null || condition === null) {
    return noise;
  }
  return say("captionWords", { face: noise, words: describedWords(words, condition) });
}

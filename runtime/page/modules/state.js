/**
 * All that decides what the page shows, and the same as a text: what stands in its address.
 *
 * The text is that of a form, `model=cgan&text=blue+hair&seed=7`; what is as it is by default is
 * left out. Whoever has it draws the same pictures again.
 */

import { quoted, UserError } from "./errors.js";
import { MAX_SEED, parseSeed } from "./latents.js";
import { NEIGHBOURS } from "./neighbours.js";
import { noiseFromText, noiseToText } from "./noise.js";

/** @typedef {import("./neighbours.js").Step} Step */
/** @typedef {import("./words.js").Choice} Choice */
/** @typedef {import("./words.js").Words} Words */

/** @typedef {{word: number, percent: number}} Mix a second word of a group, and its part, 0 to 100 */

/** @typedef {"face" | "grid" | "near" | "walk"} View one face, 25, its neighbours, or a walk */

/**
 * What a face is drawn of.
 *
 * @typedef {object} Face
 * @property {bigint} seed
 * @property {bigint} face its number within the seed
 * @property {bigint | null} wordSeed the seed that words left open are drawn by; null: `seed`
 * @property {Float32Array | null} noise in place of the seed's
 * @property {Step[]} steps from there to neighbours
 * @property {Choice} choice the words; null of a group is left open
 * @property {(Mix | null)[]} mixes for each group, what its word is mixed with
 */

/**
 * @typedef {object} Shown
 * @property {string} model
 * @property {View} view
 * @property {number} degrees how far away neighbours are
 * @property {Face | null} to where the walk ends
 * @property {number} frames of the walk
 */

/** @typedef {Face & Shown} State */

/** @typedef {{id: string, words: Words | null, latentSize: number}} Known what is known of a model */

export const VIEWS = /** @type {const} */ (["face", "grid", "near", "walk"]);
export const DEGREES = { least: 5, most: 60, usual: 20 };
export const FRAMES = { least: 2, most: 120, usual: 30 };
export const TILES = 25; // of a grid
const MOST_STEPS = 200;
const FACE_KEYS = "text mix percent wordseed seed face noise near".split(" ");
const KEYS = ["model", "view", "degrees", "to", "frames", ...FACE_KEYS];

/**
 * The first face of seed 0, with all words left open.
 *
 * @param {Known} model
 * @returns {State}
 */
export function initial({ id, words }) {
  return {
    ...faceOfSeed(0n, words),
    model: id,
    view: "face",
    degrees: DEGREES.usual,
    to: null,
    frames: FRAMES.usual,
  };
}

/**
 * @param {bigint} seed
 * @param {Words | null} words
 * @returns {Face}
 */
export function faceOfSeed(seed, words) {
  const none = (words?.groups ?? []).map(() => null);
  return { seed, face: 0n, wordSeed: null, noise: null, steps: [], choice: none, mixes: none };
}

/** What changes so that the noise is that of the seed again. */
export const NOISE_OF_SEED = { noise: null, steps: [] };

/**
 * What a state's face is drawn of, or the first of its grid. A grid has the seed's noise, since
 * noise of one's own and steps are one face's, and begins where all of its faces have a number.
 *
 * @param {State} state
 * @returns {Face}
 */
export function faceOf({ view, seed, face, wordSeed, noise, steps, choice, mixes }) {
  const own = { seed, face, wordSeed, noise, steps, choice, mixes };
  if (view !== "grid") {
    return own;
  }
  const last = MAX_SEED - BigInt(TILES - 1);
  return { ...own, ...NOISE_OF_SEED, face: face < last ? face : last };
}

/** @param {Face} face @returns {Face} a random one with the same words */
export function anotherFace({ choice, mixes }) {
  return { ...faceOfSeed(randomSeed(), null), choice, mixes };
}

/** @returns {bigint} a seed that one can still read out to somebody */
export function randomSeed() {
  return BigInt(crypto.getRandomValues(new Uint32Array(1))[0]);
}

/**
 * @param {State} state
 * @param {Words | null} words of its model
 * @returns {string}
 */
export function write(state, words) {
  const fields = new URLSearchParams({ model: state.model });
  writeFace(fields, state, words);
  if (state.view !== "face") {
    fields.set("view", state.view);
  }
  if (state.view === "near") {
    fields.set("degrees", String(state.degrees));
  }
  if (state.view === "walk" && state.to !== null) {
    const end = new URLSearchParams();
    writeFace(end, state.to, words);
    fields.set("to", String(end));
    fields.set("frames", String(state.frames));
  }
  return String(fields);
}

/**
 * Read what `write` wrote, also with the address or a # before it.
 *
 * @param {string} text
 * @param {Known[]} models those that there are
 * @returns {State}
 * @throws {UserError} it is none, or not one of these models
 */
export function read(text, models) {
  const fields = new URLSearchParams(text.trim().replace(/^[^#]*#/, ""));
  checkKeys(fields, KEYS);
  const model = knownModel(fields.get("model"), models);
  const state = { ...initial(model), ...readFace(fields, model) };
  const to = fields.has("to") ? new URLSearchParams(fields.get("to") ?? "") : null;
  if (to !== null) {
    checkKeys(to, FACE_KEYS, " within to");
  }
  return {
    ...state,
    view: viewOf(fields.get("view") ?? "face"),
    degrees: numberIn("degrees", fields.get("degrees"), DEGREES),
    frames: numberIn("frames", fields.get("frames"), FRAMES),
    to: to && readFace(to, model),
  };
}

/**
 * Read a sentence; an empty one leaves all groups open.
 *
 * @param {Words} words
 * @param {string} text
 * @returns {Choice}
 * @throws {UserError} as Words.parse does
 */
export function choiceOf(words, text) {
  return text.trim() === "" ? words.groups.map(() => null) : words.parse(text);
}

/**
 * Take over to another model what it has too: words of the same names, noise of the same length.
 *
 * @param {State} state
 * @param {Known} from
 * @param {Known} to
 * @returns {State}
 */
export function moved(state, from, to) {
  const face = movedFace(state, from, to);
  return { ...state, ...face, model: to.id, to: state.to && movedFace(state.to, from, to) };
}

/**
 * Read the number of a face.
 *
 * @param {string} text
 * @returns {bigint}
 * @throws {UserError} it is none
 */
export function parseFace(text) {
  const number = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
  if (number < 0n || number > MAX_SEED) {
    throw new UserError(`face is ${quoted(text)}, expected a whole number from 0 to ${MAX_SEED}`);
  }
  return number;
}

/**
 * Read a whole number within limits.
 *
 * @param {string} name
 * @param {string | null} text null: the usual one
 * @param {{least: number, most: number, usual: number}} limits
 * @returns {number}
 * @throws {UserError} it is none
 */
export function numberIn(name, text, { least, most, usual }) {
  const number = text === null ? usual : /^\d{1,4}$/.test(text) ? Number(text) : -1;
  if (number < least || number > most) {
    throw new UserError(
      `${name} is ${quoted(text ?? "")}, expected a whole number from ${least} to ${most}`,
    );
  }
  return number;
}

/**
 * @param {URLSearchParams} fields
 * @param {Face} face
 * @param {Words | null} words
 */
function writeFace(fields, face, words) {
  if (words !== null) {
    const text = words.describe(face.choice);
    const mix = words.describe(face.mixes.map((second) => second?.word ?? null));
    const percents = face.mixes.flatMap((second) => (second === null ? [] : [second.percent]));
    for (const [key, value] of [
      ["text", text],
      ["mix", mix],
      ["percent", percents.join()],
      ["wordseed", face.wordSeed === null ? "" : String(face.wordSeed)],
    ]) {
      if (value !== "") {
        fields.set(key, value);
      }
    }
  }
  fields.set("seed", String(face.seed));
  if (face.face !== 0n) {
    fields.set("face", String(face.face));
  }
  if (face.noise !== null) {
    fields.set("noise", noiseToText(face.noise));
  }
  if (face.steps.length > 0) {
    fields.set("near", face.steps.map(({ number, degrees }) => `${number}-${degrees}`).join());
  }
}

/**
 * @param {URLSearchParams} fields
 * @param {Known} model
 * @returns {Face}
 */
function readFace(fields, { id, words, latentSize }) {
  const [wordSeed, noise] = [fields.get("wordseed"), fields.get("noise")];
  if (words === null && (fields.get("text") || fields.get("mix"))) {
    throw new UserError(`the state has words, but the model ${id} takes none`);
  }
  const parsed = noise === null ? null : noiseFromText(noise, latentSize);
  if (parsed !== null) {
    checkNoise(parsed, latentSize);
  }
  return {
    seed: parseSeed(fields.get("seed") ?? "0"),
    face: parseFace(fields.get("face") ?? "0"),
    wordSeed: wordSeed === null ? null : parseSeed(wordSeed),
    noise: parsed,
    steps: readSteps(fields.get("near") ?? ""),
    choice: words === null ? [] : choiceOf(words, fields.get("text") ?? ""),
    mixes: words === null ? [] : readMixes(fields, words),
  };
}

/**
 * @param {Float32Array} noise
 * @param {number} latentSize
 * @throws {UserError} the model takes noise of another length
 */
export function checkNoise(noise, latentSize) {
  if (noise.length !== latentSize) {
    throw new UserError(
      `the noise has ${noise.length} numbers, expected ${latentSize}: it is that of another model`,
    );
  }
}

/** @param {URLSearchParams} fields @param {Words} words @returns {(Mix | null)[]} */
function readMixes(fields, words) {
  const seconds = choiceOf(words, fields.get("mix") ?? "");
  const percents = (fields.get("percent") ?? "").split(",").filter((part) => part !== "");
  if (percents.length !== seconds.filter((word) => word !== null).length) {
    throw new UserError(
      `percent is ${quoted(percents.join())}, expected a number for each word of mix`,
    );
  }
  return seconds.map((word) =>
    word === null
      ? null
      : {
          word,
          percent: numberIn("percent", percents.shift() ?? null, {
            least: 0,
            most: 100,
            usual: 50,
          }),
        },
  );
}

/** @param {string} text @returns {Step[]} */
function readSteps(text) {
  const parts = text === "" ? [] : text.split(",");
  const steps = parts.map((part) => {
    const [, number, degrees] = (/^(\d{1,2})-(\d{1,2})$/.exec(part) ?? []).map(Number);
    return { number, degrees };
  });
  const right = steps.every(
    ({ number, degrees }) =>
      number >= 1 && number <= NEIGHBOURS && degrees >= DEGREES.least && degrees <= DEGREES.most,
  );
  if (!right || steps.length > MOST_STEPS) {
    throw new UserError(`near is ${quoted(text)}, expected steps such as 3-20,17-20`);
  }
  return steps;
}

/** @param {URLSearchParams} fields @param {string[]} keys that there are @param {string} [where] */
function checkKeys(fields, keys, where = "") {
  const found = [...fields.keys()];
  const unknown = found.find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw new UserError(`the state has ${quoted(unknown)}${where}, expected ${keys.join(", ")}`);
  }
  const twice = found.find((key, place) => found.indexOf(key) < place);
  if (twice !== undefined) {
    throw new UserError(`the state has ${quoted(twice)} twice${where}, expected it once`);
  }
}

/** @param {string | null} id @param {Known[]} models */
function knownModel(id, models) {
  const found = id === null ? models[0] : models.find((model) => model.id === id);
  if (found === undefined) {
    const ids = models.map((model) => model.id).join(", ");
    throw new UserError(`model is ${quoted(id ?? "")}, expected one of ${ids}`);
  }
  return found;
}

/** @param {string} text @returns {View} */
function viewOf(text) {
  const found = VIEWS.find((view) => view === text);
  if (found === undefined) {
    throw new UserError(`view is ${quoted(text)}, expected one of ${VIEWS.join(", ")}`);
  }
  return found;
}

/** @param {Face} face @param {Known} from @param {Known} to @returns {Face} */
function movedFace(face, from, to) {
  const groups = (to.words?.groups ?? []).map(({ name, words }) => {
    const before = from.words?.groups.findIndex((other) => other.name === name) ?? -1;
    const known = from.words?.groups[before]?.words ?? [];
    /** @type {(number: number | null | undefined) => number | null} */
    const same = (number) => {
      const found = number == null ? -1 : words.indexOf(known[number]);
      return found < 0 ? null : found;
    };
    const mix = face.mixes[before] ?? null;
    const second = same(mix?.word);
    return {
      word: same(face.choice[before]),
      mix: mix === null || second === null ? null : { ...mix, word: second },
    };
  });
  return {
    ...face,
    ...(from.latentSize === to.latentSize ? {} : NOISE_OF_SEED),
    choice: groups.map(({ word }) => word),
    mixes: groups.map(({ mix }) => mix),
  };
}

/** The noise: seed and face number, kept or new at the next drawing, and to and from files. */

import { paint } from "./canvas.js";
import { latentOf } from "./drawing.js";
import { byId, disable, handOver, onClick, radios } from "./element.js";
import { UserError } from "./errors.js";
import { fill, tried, whenTyped } from "./field.js";
import { copy, save } from "./files.js";
import { say } from "./languages.js";
import { MAX_SEED, parseSeed } from "./latents.js";
import { fileName } from "./names.js";
import { noiseFromPicture, noiseFromText, noiseToPicture, noiseToText } from "./noise.js";
import { decodePng, encodePng } from "./png.js";
import { checkNoise, faceOf, NOISE_OF_SEED, parseFace, randomSeed } from "./state.js";

/** @typedef {import("./studio.js").Studio} Studio */

const MOST_BYTES = 2 ** 22; // of a file that is opened
const MARK_OF_UTF8 = 0xef; // the first byte of the mark that editors may put before a text

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function noisePanel(studio) {
  const seed = byId("seed", HTMLInputElement);
  const seedError = byId("seed-error", HTMLElement);
  const number = byId("face-number", HTMLInputElement);
  const numberError = byId("face-number-error", HTMLElement);
  const picture = byId("noise-picture", HTMLCanvasElement);
  const text = byId("noise-text", HTMLTextAreaElement);
  const error = byId("noise-error", HTMLElement);
  const said = byId("noise-said", HTMLElement);
  const file = byId("noise-file", HTMLInputElement);
  const own = byId("noise-own", HTMLElement);
  const drop = byId("noise-drop", HTMLButtonElement);
  const summary = byId("noise-summary", HTMLElement);
  const previous = byId("previous-face", HTMLButtonElement);
  const next = byId("next-face", HTMLButtonElement);
  const keeping = byId("noise-keeping", HTMLElement);

  const ofSeed = { ...NOISE_OF_SEED, wordSeed: null };
  whenTyped(seed, seedError, (typed) => {
    studio.change({ ...ofSeed, seed: parseSeed(typed.trim()) });
  });
  whenTyped(number, numberError, (typed) => {
    studio.change({ ...ofSeed, face: parseFace(typed.trim()) });
  });
  onClick("random-seed", () => studio.change({ ...ofSeed, seed: randomSeed(), face: 0n }));
  const step = (/** @type {bigint} */ by) => {
    const face = studio.wanted.face + by;
    if (face >= 0n && face <= MAX_SEED) {
      studio.change({ ...ofSeed, face });
    }
  };
  onClick("previous-face", () => step(-1n));
  onClick("next-face", () => step(1n));
  onClick("noise-drop", () => studio.change(NOISE_OF_SEED));

  const now = () => latentOf(studio.facts, faceOf(studio.state));
  const wantedSize = () => studio.factsOf(studio.wanted.model).latentSize;
  const use = (/** @type {Float32Array} */ noise) => {
    checkNoise(noise, wantedSize());
    studio.change({
      noise,
      steps: [],
      view: studio.wanted.view === "grid" ? "face" : studio.wanted.view,
    });
  };
  onClick("noise-save", async () => {
    const name = fileName(studio, "noise.png");
    save(name, "image/png", await encodePng(noiseToPicture(now())));
    said.textContent = say("saved", { file: name });
  });
  onClick("noise-save-text", () => {
    const name = fileName(studio, "noise.txt");
    save(name, "text/plain", `${noiseToText(now())}\n`);
    said.textContent = say("saved", { file: name });
  });
  onClick("noise-copy", async () => {
    said.textContent = say((await copy(noiseToText(now()), text)) ? "copied" : "notCopied");
  });
  onClick("noise-use", () =>
    tried(text, error, () => use(noiseFromText(text.value, wantedSize()))),
  );
  onClick("noise-open", () => file.click());
  file.addEventListener("change", async () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) {
      await tried(text, error, async () => use(await noiseOfFile(chosen, wantedSize())));
    }
    file.value = ""; // so that the same file can be chosen again
  });

  return () => {
    const { state } = studio;
    const { noise, steps } = faceOf(state);
    fill(seed, seedError, String(state.seed));
    fill(number, numberError, String(state.face));
    keeping.hidden = studio.words === null; // without words the same face would come again
    disable(previous, state.face === 0n, next);
    const drawn = now();
    paint(picture, noiseToPicture(drawn));
    fill(text, error, noiseToText(drawn));
    own.textContent =
      noise !== null
        ? say("noiseOwn")
        : steps.length > 0
          ? say(steps.length === 1 ? "noiseNear1" : "noiseNear", { steps: steps.length })
          : "";
    if (own.textContent === "") {
      handOver(drop, summary);
    }
    drop.hidden = own.textContent === "";
  };
}

/** @returns {boolean} whether the next drawing keeps the noise */
export function keepsNoise() {
  return radios("noise").some(({ value, checked }) => value === "fixed" && checked);
}

/** @param {File} file @param {number} size of the model's @returns {Promise<Float32Array>} */
async function noiseOfFile(file, size) {
  if (file.size > MOST_BYTES) {
    throw new UserError(`the file has ${file.size} bytes, expected at most ${MOST_BYTES}`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isText = bytes[0] < 128 || bytes[0] === MARK_OF_UTF8;
  return isText
    ? noiseFromText(new TextDecoder().decode(bytes), size)
    : noiseFromPicture(await decodePng(bytes));
}

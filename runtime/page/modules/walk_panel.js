/** The walk from the face shown to another: where it ends, playing it, and saving it. */

import { show } from "./canvas.js";
import { describedFace } from "./described.js";
import { byId, disable, onClick, setText } from "./element.js";
import { enlarge } from "./enlarge.js";
import { fill, whenTyped } from "./field.js";
import { save } from "./files.js";
import { say } from "./languages.js";
import { parseSeed } from "./latents.js";
import { fileName } from "./names.js";
import { encodeAnimation } from "./png.js";
import { savedFactor, sizeEnding } from "./save_panel.js";
import { conditionAt, isSmooth } from "./stage.js";
import { anotherFace, FRAMES, faceOf, faceOfSeed, numberIn } from "./state.js";
import { fillSentence, readSentence } from "./words_panel.js";

/** @typedef {import("./state.js").Face} Face */
/** @typedef {import("./studio.js").Studio} Studio */

const FRAMES_PER_SECOND = 20; // as edgegan interpolate has them
const BETWEEN_READING = 2000; // milliseconds, so that a screen reader can say one place, then the next

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function walkPanel(studio) {
  const face = byId("face", HTMLCanvasElement);
  const panel = byId("walk-panel", HTMLElement);
  const place = byId("walk-place", HTMLInputElement);
  const play = byId("walk-play", HTMLButtonElement);
  const seed = byId("walk-seed", HTMLInputElement);
  const seedError = byId("walk-seed-error", HTMLElement);
  const sentence = byId("walk-sentence", HTMLInputElement);
  const sentenceError = byId("walk-sentence-error", HTMLElement);
  const sentenceField = byId("walk-sentence-field", HTMLElement);
  const frames = byId("walk-frames", HTMLInputElement);
  const framesError = byId("walk-frames-error", HTMLElement);
  const end = byId("walk-end", HTMLCanvasElement);
  const hint = byId("walk-hint", HTMLElement);
  const saveButton = byId("walk-save", HTMLButtonElement);
  const said = byId("said", HTMLElement);
  const saving = byId("saving", HTMLElement);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  let started = -1; // the time at which the first frame is, or was; -1 while it stands still
  let told = 0; // the time at which the place was put into words
  let ticking = 0; // the request of the browser for the next frame
  /** @type {import("./png.js").Picture[]} */
  let shown = [];

  const showPlace = () => {
    const picture = studio.pictures[Number(place.value)];
    if (studio.state.view === "walk" && picture !== undefined) {
      show(face, picture, isSmooth());
    }
  };
  const tellPlace = () => {
    const values = { number: Number(place.value) + 1, count: studio.pictures.length };
    place.setAttribute("aria-valuetext", say("walkFrame", values));
    told = performance.now();
  };
  const showPlaying = () => {
    play.textContent = say(started < 0 ? "walkPlay" : "walkPause");
    tellPlace();
  };
  const stop = () => {
    cancelAnimationFrame(ticking);
    started = -1;
    showPlaying();
  };
  const tick = (/** @type {number} */ time) => {
    const frame = Math.floor(((time - started) / 1000) * FRAMES_PER_SECOND);
    const next = String(there(Math.max(0, frame), studio.pictures.length));
    if (next !== place.value) {
      place.value = next;
      showPlace();
      // Of what has the focus each change is read out.
      if (document.activeElement !== place || time - told > BETWEEN_READING) {
        tellPlace();
      }
    }
    ticking = requestAnimationFrame(tick);
  };
  const start = () => {
    cancelAnimationFrame(ticking);
    ticking = requestAnimationFrame(tick);
    started = performance.now() - (1000 * Number(place.value)) / FRAMES_PER_SECOND;
    showPlaying();
  };

  play.addEventListener("click", () => (started < 0 ? start() : stop()));
  place.addEventListener("focus", tellPlace);
  place.addEventListener("input", () => {
    stop();
    showPlace();
  });
  const changeEnd = (/** @type {Partial<Face>} */ changes) => {
    const { wanted } = studio;
    studio.change({ to: { ...(wanted.to ?? wanted), ...changes } });
  };
  whenTyped(seed, seedError, (text) => {
    const { choice, mixes } = studio.wanted.to ?? studio.wanted;
    changeEnd({ ...faceOfSeed(parseSeed(text.trim()), studio.words), choice, mixes });
  });
  whenTyped(sentence, sentenceError, (text) => {
    if (studio.words !== null) {
      changeEnd(readSentence(studio.words, text));
    }
  });
  const lock = () => {
    sentence.disabled = studio.changesModel; // as the start's words are
  };
  studio.addEventListener("opening", lock);
  whenTyped(frames, framesError, (text) => {
    studio.change({ frames: numberIn("frames", text.trim(), FRAMES) });
  });
  onClick("walk-random", () =>
    studio.change({ to: anotherFace(studio.wanted.to ?? studio.wanted) }),
  );
  onClick("walk-same", () => {
    const { choice, mixes } = studio.wanted.to ?? studio.wanted;
    changeEnd({ ...faceOf(studio.wanted), choice, mixes });
  });
  onClick("walk-swap", () => {
    const from = faceOf(studio.wanted);
    studio.change({ ...(studio.wanted.to ?? from), to: from });
  });
  const showSaving = (/** @type {boolean} */ now) => {
    disable(saveButton, now, play);
    saving.textContent = now ? say("saving") : "";
  };
  saveButton.addEventListener("click", async () => {
    said.textContent = "";
    showSaving(true);
    try {
      const file = fileName(studio, `walk${sizeEnding(studio)}.png`);
      save(file, "image/png", await animation(studio.pictures));
      said.textContent = say("saved", { file });
    } finally {
      showSaving(false);
    }
  });

  return () => {
    const { state, words, pictures } = studio;
    setText(saving, saveButton.disabled ? say("saving") : "");
    panel.hidden = state.view !== "walk";
    if (panel.hidden || state.to === null) {
      stop();
      shown = [];
      return;
    }
    place.max = String(pictures.length - 1);
    fill(seed, seedError, String(state.to.seed));
    sentenceField.hidden = words === null;
    lock();
    fillSentence(sentence, sentenceError, words, state.to.choice);
    fill(frames, framesError, String(state.frames));
    const last = pictures.length - 1;
    hint.textContent = say("walkHint", { count: pictures.length, frames: 2 * last });
    show(end, pictures[last], isSmooth());
    const name = describedFace(state.to, words, conditionAt(studio, last));
    end.ariaLabel = say("walkEnd", { face: name });
    face.ariaLabel = byId("caption", HTMLElement).textContent ?? "";
    if (pictures !== shown) {
      shown = pictures;
      place.value = "0";
      if (!calm.matches) {
        start();
      }
    }
    showPlace();
    showPlaying();
  };
}

/**
 * Pictures there and back again as a file, as large as faces are saved.
 *
 * @param {import("./png.js").Picture[]} pictures
 */
async function animation(pictures) {
  const [factor, smooth] = [savedFactor(), isSmooth()];
  const large = [];
  for (const picture of pictures) {
    await new Promise((resolve) => setTimeout(resolve)); // the browser shows what is said meanwhile
    large.push(enlarge(picture, factor, smooth));
  }
  const back = large.slice(1, -1).reverse(); // so that it goes round without a leap
  return encodeAnimation([...large, ...back], FRAMES_PER_SECOND);
}

/**
 * Which of so many frames is shown, there and back again.
 *
 * @param {number} frame counted from the start
 * @param {number} count
 * @returns {number}
 */
export function there(frame, count) {
  const round = 2 * (count - 1);
  const place = frame % round;
  return place < count ? place : round - place;
}

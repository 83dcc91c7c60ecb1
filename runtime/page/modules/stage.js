/** The pictures of the state: one face large, or 25 to choose from. */

import { show } from "./canvas.js";
import { describedFace, describedWords } from "./described.js";
import { MIDDLE } from "./drawing.js";
import { byId, make, radios, setText } from "./element.js";
import { say } from "./languages.js";
import { faceOf, NOISE_OF_SEED, TILES, VIEWS } from "./state.js";

/** @typedef {import("./studio.js").Studio} Studio */

const COLUMNS = 5;
/** How far the arrow keys go among the tiles. @type {Record<string, number>} */
const KEYS = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowUp: -COLUMNS,
  ArrowDown: COLUMNS,
  Home: -TILES,
  End: TILES,
};

/** @returns {boolean} whether pictures are enlarged smoothly */
export function isSmooth() {
  return radios("look").some(({ value, checked }) => value === "smooth" && checked);
}

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function stage(studio) {
  const face = byId("face", HTMLCanvasElement);
  const caption = byId("caption", HTMLElement);
  const tiles = byId("tiles", HTMLElement);
  const buttons = Array.from({ length: TILES }, (_, place) => {
    const button = make("button", { type: "button", className: "tile" }, make("canvas"));
    button.tabIndex = place === 0 ? 0 : -1;
    button.addEventListener("click", () => choose(studio, place));
    return button;
  });
  tiles.append(...buttons);
  tiles.addEventListener("keydown", (event) => moveFocus(event, buttons));
  for (const radio of radios("view")) {
    radio.addEventListener("change", () => {
      const view = VIEWS.find((name) => name === radio.value);
      if (view !== undefined) {
        studio.change({ view });
      }
    });
  }

  return () => {
    const { state, pictures } = studio;
    const many = state.view === "grid" || state.view === "near";
    const losesFocus = !many && tiles.contains(document.activeElement);
    for (const radio of radios("view")) {
      radio.checked = radio.value === state.view;
      if (radio.checked && losesFocus) {
        radio.focus({ preventScroll: true });
      }
    }
    tiles.hidden = !many;
    face.hidden = many;
    const text = captionOf(studio);
    setText(caption, text);
    if (many) {
      tiles.ariaLabel = say("tiles");
      for (const [place, button] of buttons.entries()) {
        const [canvas] = button.getElementsByTagName("canvas");
        show(canvas, pictures[place], isSmooth());
        button.ariaLabel = button.title = tileName(studio, place);
        button.classList.toggle("middle", state.view === "near" && place === MIDDLE);
      }
    } else if (state.view === "face") {
      show(face, pictures[0], isSmooth());
      face.ariaLabel = text;
    }
  };
}

/**
 * The words of one of the pictures.
 *
 * @param {Studio} studio
 * @param {number} place
 * @returns {Float32Array | null}
 */
export function conditionAt({ numbers, words }, place) {
  if (numbers === null || numbers.conditions === null || words === null) {
    return null;
  }
  return numbers.conditions.subarray(place * words.size, (place + 1) * words.size);
}

/** @param {Studio} studio */
function captionOf(studio) {
  const { state, words, numbers } = studio;
  const named = (/** @type {number} */ place) =>
    describedFace(state, words, conditionAt(studio, place));
  switch (state.view) {
    case "face":
      return named(0);
    case "near":
      return say("captionAround", { face: named(MIDDLE) });
    case "grid": {
      const own = state.noise !== null || state.steps.length > 0;
      return say(own ? "captionGridOfSeed" : "captionGrid", {
        ...numberAt(studio, 0),
        last: numberAt(studio, TILES - 1).face,
      });
    }
    case "walk": {
      const last = (numbers?.count ?? 1) - 1;
      const to = state.to ?? state;
      return say("captionWalk", {
        from: named(0),
        to: describedFace(to, words, conditionAt(studio, last)),
      });
    }
  }
}

/** The number of a face of the grid. @param {Studio} studio @param {number} place */
function numberAt({ state }, place) {
  return { face: faceOf(state).face + BigInt(place), seed: state.seed };
}

/** @param {Studio} studio @param {number} place */
function tileName(studio, place) {
  const { state, words } = studio;
  if (state.view === "near") {
    return place === MIDDLE ? say("tileMiddle") : say("tileNear", { number: stepNumber(place) });
  }
  const name = say("tileGrid", numberAt(studio, place));
  const condition = conditionAt(studio, place);
  return words === null || condition === null
    ? name
    : say("captionWords", { face: name, words: describedWords(words, condition) });
}

/** Go to the face of a tile. @param {Studio} studio @param {number} place */
function choose(studio, place) {
  const { state } = studio;
  if (state.view === "near" && place !== MIDDLE) {
    const step = { number: stepNumber(place), degrees: state.degrees };
    studio.change({ steps: [...state.steps, step] });
  } else if (state.view === "near") {
    studio.change({ view: "face" });
  } else {
    studio.change({ view: "face", face: numberAt(studio, place).face, ...NOISE_OF_SEED });
  }
}

/** @param {number} place of a tile that is not the middle */
function stepNumber(place) {
  return place < MIDDLE ? place + 1 : place;
}

/** @param {KeyboardEvent} event @param {HTMLButtonElement[]} buttons */
function moveFocus(event, buttons) {
  const from = buttons.findIndex((button) => button.matches(":focus"));
  const by = KEYS[event.key];
  if (from < 0 || by === undefined) {
    return;
  }
  event.preventDefault();
  const wanted = from + by;
  const inside = Math.abs(by) === TILES ? Math.min(TILES - 1, Math.max(0, wanted)) : wanted;
  const to = buttons[inside] ?? buttons[from];
  for (const button of buttons) {
    button.tabIndex = button === to ? 0 : -1;
  }
  to.focus();
}

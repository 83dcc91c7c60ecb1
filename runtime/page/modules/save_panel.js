/** Drawing another, and saving what is shown. */

import { byId, make, onClick } from "./element.js";
import { enlarge } from "./enlarge.js";
import { save } from "./files.js";
import { say } from "./languages.js";
import { fileName } from "./names.js";
import { keepsNoise } from "./noise_panel.js";
import { encodePng } from "./png.js";
import { sheet } from "./sheet.js";
import { isSmooth } from "./stage.js";
import { NOISE_OF_SEED, randomSeed } from "./state.js";

const FACTORS = [1, 4, 8];
const COLUMNS = 5;
const GAP = 2; // pixels between faces as drawn

/** @param {import("./studio.js").Studio} studio @returns {() => void} what shows the state anew */
export function savePanel(studio) {
  const sizes = byId("saved-size", HTMLSelectElement);
  const said = byId("said", HTMLElement);

  onClick("draw", () => {
    said.textContent = "";
    if (studio.words === null || !keepsNoise()) {
      studio.change({ ...NOISE_OF_SEED, seed: randomSeed(), face: 0n, wordSeed: null });
    } else if (studio.wanted.choice.includes(null)) {
      studio.change({ wordSeed: randomSeed() });
    } else {
      said.textContent = say("same");
    }
  });
  onClick("save", async () => {
    const { view } = studio.state;
    const pictures = view === "walk" ? [studio.pictures[walkPlace()]] : studio.pictures;
    const factor = savedFactor();
    const large = pictures.map((face) => enlarge(face, factor, isSmooth()));
    const whole = large.length > 1 ? sheet(large, COLUMNS, GAP * factor) : large[0];
    const what = view === "walk" ? `walk${walkPlace()}` : view;
    const name = fileName(studio, `${what}${sizeEnding(studio)}.png`);
    save(name, "image/png", await encodePng(whole));
    said.textContent = say("saved", { file: name });
  });

  return () => {
    const { imageSize } = studio.facts;
    const chosen = String(savedFactor());
    const options = FACTORS.map((factor) => {
      const size = imageSize * factor;
      const textContent = say(factor === 1 ? "sizeAsDrawn" : "sizeOption", { size });
      return make("option", { value: String(factor), textContent });
    });
    sizes.replaceChildren(...options);
    sizes.value = chosen;
  };
}

/** @returns {number} how many times as large as drawn a face is saved */
export function savedFactor() {
  return Number(byId("saved-size", HTMLSelectElement).value || FACTORS[0]);
}

/**
 * @param {import("./studio.js").Studio} studio
 * @returns {string} the size of a saved face as a part of a file's name; empty where it is as drawn
 */
export function sizeEnding({ facts }) {
  const factor = savedFactor();
  return factor === 1 ? "" : `-${factor * facts.imageSize}`;
}

/** @returns {number} the picture of a walk that is shown */
function walkPlace() {
  return Number(byId("walk-place", HTMLInputElement).value);
}

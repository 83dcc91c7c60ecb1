/** What was drawn before: to go back to, and to walk to. */

import { paint } from "./canvas.js";
import { describedNoise } from "./described.js";
import { MIDDLE } from "./drawing.js";
import { byId, make } from "./element.js";
import { History } from "./history.js";
import { say, wordName } from "./languages.js";
import { textOf, write } from "./state.js";

/** @typedef {import("./history.js").Entry} Entry */
/** @typedef {import("./studio.js").Studio} Studio */

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function historyPanel(studio) {
  const list = byId("history", HTMLElement);
  const empty = byId("history-empty", HTMLElement);
  const past = new History();

  return () => {
    if (studio.recorded) {
      const { state, words, pictures } = studio;
      const picture = pictures[state.view === "near" ? MIDDLE : 0];
      past.add({
        text: write(state, words),
        state,
        picture: { ...picture, rgb: picture.rgb.slice() },
      });
    }
    studio.recorded = false;
    empty.hidden = past.entries.length > 0;
    list.replaceChildren(...past.entries.map((entry) => itemOf(studio, entry)));
  };
}

/** @param {Studio} studio @param {Entry} entry */
function itemOf(studio, entry) {
  const canvas = make("canvas", { className: "thumb" });
  paint(canvas, entry.picture);
  const face = nameOf(studio, entry);
  const go = make("button", { type: "button", className: "past-face" }, canvas);
  go.ariaLabel = go.title = say("historyBack", { face });
  go.addEventListener("click", () => studio.change(entry.state));
  const walk = make("button", { type: "button", className: "small" }, say("historyWalk"));
  walk.ariaLabel = say("historyWalkTo", { face });
  walk.hidden = entry.state.model !== studio.state.model;
  walk.addEventListener("click", () => {
    const { seed, face: number, wordSeed, noise, steps, choice, mixes } = entry.state;
    const to = { seed, face: number, wordSeed, noise, steps, choice, mixes };
    studio.change({ view: "walk", to });
  });
  return make("li", {}, go, walk);
}

/** @param {Studio} studio @param {Entry} entry */
function nameOf(studio, { state }) {
  const words = studio.known.find(({ id }) => id === state.model)?.words ?? null;
  const noise = describedNoise(state);
  const text = words === null ? "" : textOf(words, state.choice).split(" ").map(wordName).join(" ");
  const named = text === "" ? noise : say("captionWords", { face: noise, words: text });
  return `${named}, ${studio.factsOf(state.model).title}`;
}

/** What was drawn before: to go back to, and to walk to. */

import { paint } from "./canvas.js";
import { describedFace } from "./described.js";
import { conditionOf, MIDDLE } from "./drawing.js";
import { byId, make } from "./element.js";
import { History, MOST_ENTRIES } from "./history.js";
import { say } from "./languages.js";
import { faceOf, write } from "./state.js";

/** @typedef {import("./history.js").Entry} Entry */
/** @typedef {import("./studio.js").Studio} Studio */

const NAMES = { face: "viewFace", grid: "viewGrid", near: "viewNear", walk: "viewWalk" };

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function historyPanel(studio) {
  const list = byId("history", HTMLElement);
  const empty = byId("history-empty", HTMLElement);
  const past = new History();
  let language = "";

  return () => {
    const { state, words, pictures } = studio;
    const text = write(state, words);
    if (studio.recorded) {
      const { rgb, ...size } = pictures[state.view === "near" ? MIDDLE : 0];
      const entry = { text, state, picture: { ...size, rgb: rgb.slice() } };
      if (past.add(entry)) {
        list.prepend(itemOf(studio, entry)); // the others stay, and so does the focus
        list.children[MOST_ENTRIES]?.remove();
      }
    }
    if (language !== document.documentElement.lang) {
      language = document.documentElement.lang;
      list.replaceChildren(...past.entries.map((entry) => itemOf(studio, entry)));
    }
    empty.hidden = past.entries.length > 0;
    for (const [place, entry] of past.entries.entries()) {
      const [go, walk] = list.children[place].children;
      go.ariaCurrent = String(entry.text === text);
      walk.toggleAttribute("hidden", entry.state.model !== state.model);
    }
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
  walk.addEventListener("click", () => {
    // From the state that is shown, of the same model, also where another one is being opened.
    studio.change({ ...studio.state, view: "walk", to: faceOf(entry.state) });
  });
  return make("li", {}, go, walk);
}

/** @param {Studio} studio @param {Entry} entry */
function nameOf(studio, { state }) {
  const words = studio.known.find(({ id }) => id === state.model)?.words ?? null;
  const face = describedFace(faceOf(state), words, words && conditionOf(words, faceOf(state)));
  return `${face}, ${say(NAMES[state.view])}, ${studio.factsOf(state.model).title}`;
}

/** What was drawn before: to go back to, and to walk to. */

import { paint } from "./canvas.js";
import { describedFace } from "./described.js";
import { conditionOf } from "./drawing.js";
import { byId, handOver, make } from "./element.js";
import { History, MOST_ENTRIES } from "./history.js";
import { say } from "./languages.js";
import { sheet } from "./sheet.js";
import { faceOf, write } from "./state.js";

/** @typedef {import("./history.js").Entry} Entry */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./studio.js").Studio} Studio */

const THUMB = 128; // pixels of a side, so that many take little memory
const GAP = 4; // pixels between faces as drawn
const NAMES = { face: "viewFace", grid: "viewGrid", near: "viewNear", walk: "viewWalk" };

/** @param {Studio} studio @returns {() => void} what shows the state anew */
export function historyPanel(studio) {
  const list = byId("history", HTMLElement);
  const empty = byId("history-empty", HTMLElement);
  const past = new History();
  let language = "";

  return () => {
    const { state, words } = studio;
    const text = write(state, words);
    if (studio.recorded) {
      const entry = { text, state, thumb: thumbOf(studio) };
      const [newest] = past.entries;
      if (past.add(entry)) {
        if (!past.entries.includes(newest)) {
          list.firstElementChild?.remove();
        }
        list.prepend(itemOf(studio, entry)); // the others stay, and so does the focus
        list.children[MOST_ENTRIES]?.remove();
      }
    }
    if (language !== document.documentElement.lang) {
      language = document.documentElement.lang;
      list.replaceChildren(...past.entries.map((entry) => itemOf(studio, entry)));
    }
    empty.hidden = past.entries.length > 0;
    const face = write(faceAlone(state), words);
    for (const [place, entry] of past.entries.entries()) {
      const [go, walk] = list.children[place].getElementsByTagName("button");
      go.ariaCurrent = String(entry.text === text);
      const offered =
        entry.state.model === state.model && write(faceAlone(entry.state), words) !== face;
      if (!offered) {
        handOver(walk, go);
      }
      walk.classList.toggle("absent", !offered);
    }
  };
}

/** @param {Studio} studio @param {Entry} entry */
function itemOf(studio, entry) {
  const face = nameOf(studio, entry);
  const go = make("button", { type: "button", className: "past-face" }, entry.thumb);
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

/** What a state shows is drawn of, shown alone. @param {State} state @returns {State} */
function faceAlone(state) {
  return { ...state, ...faceOf(state), view: "face" };
}

/** What is shown, small: of a walk four of its pictures. @param {Studio} studio */
function thumbOf({ state, pictures }) {
  const last = pictures.length - 1;
  const shown =
    state.view === "walk"
      ? [0, 1, 2, 3].map((third) => pictures[Math.round((third * last) / 3)])
      : pictures;
  const whole = make("canvas");
  paint(whole, sheet(shown, Math.sqrt(shown.length), GAP));
  const thumb = make("canvas", { className: "thumb", width: THUMB, height: THUMB });
  thumb.getContext("2d")?.drawImage(whole, 0, 0, THUMB, THUMB);
  return thumb;
}

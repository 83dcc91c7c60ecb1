/** Neighbours: how far away they are, and back from one. */

import { byId, disable } from "./element.js";
import { say } from "./languages.js";

/** @param {import("./studio.js").Studio} studio @returns {() => void} what shows the state anew */
export function nearPanel(studio) {
  const panel = byId("near-panel", HTMLElement);
  const angle = byId("near-angle", HTMLInputElement);
  const output = byId("near-angle-value", HTMLOutputElement);
  const back = byId("near-back", HTMLButtonElement);

  angle.addEventListener("input", () => studio.change({ degrees: Number(angle.value) }, false));
  angle.addEventListener("change", () => studio.change({ degrees: Number(angle.value) }));
  back.addEventListener("click", () => studio.change({ steps: studio.wanted.steps.slice(0, -1) }));

  return () => {
    const { state } = studio;
    panel.hidden = state.view !== "near";
    if (document.activeElement !== angle) {
      angle.value = String(state.degrees);
    }
    output.textContent = say("degrees", { degrees: state.degrees });
    disable(back, state.steps.length === 0, angle);
  };
}

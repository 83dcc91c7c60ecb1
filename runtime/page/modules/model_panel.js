/** Which model draws. */

import { byId, make } from "./element.js";
import { say } from "./languages.js";

/** @typedef {import("./parts.js").ModelFacts} ModelFacts */

/**
 * @param {import("./studio.js").Studio} studio
 * @param {ModelFacts[]} models
 * @returns {() => void} what shows the state anew
 */
export function modelPanel(studio, models) {
  const select = byId("model", HTMLSelectElement);
  const hint = byId("model-hint", HTMLElement);
  select.append(
    ...models.map(({ id, title }) => make("option", { value: id, textContent: title })),
  );
  select.addEventListener("change", () => studio.change({ model: select.value }));
  studio.addEventListener("opening", () => {
    const { title } = studio.factsOf(studio.wanted.model);
    hint.textContent = say("opening", { model: title });
  });
  return () => {
    const { words, bytes } = studio.facts;
    select.value = studio.state.model;
    hint.textContent = say("modelHint", {
      words: say(words === null ? "modelNoWords" : "modelWords"),
      size: megabytes(bytes),
    });
  };
}

/** @param {number} bytes */
export function megabytes(bytes) {
  return (bytes / 1e6).toFixed(2);
}

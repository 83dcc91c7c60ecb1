/** The whole state as a text and in the address: copied, pasted, and gone back to. */

import { byId } from "./element.js";
import { UserError } from "./errors.js";
import { fill, tried, whenTyped } from "./field.js";
import { copy } from "./files.js";
import { say } from "./languages.js";
import { read, write } from "./state.js";

/** @param {import("./studio.js").Studio} studio @returns {() => void} what shows the state anew */
export function sharePanel(studio) {
  const field = byId("state", HTMLInputElement);
  const error = byId("state-error", HTMLElement);
  const copied = byId("copied", HTMLElement);

  const copyFrom = async (/** @type {string} */ text) => {
    const done = await copy(text, field);
    copied.textContent = say(done ? "copied" : "notCopied");
  };
  whenTyped(field, error, (text) => {
    studio.change(read(text, studio.known));
  });
  byId("copy-state", HTMLButtonElement).addEventListener("click", () => copyFrom(now(studio)));
  byId("copy-address", HTMLButtonElement).addEventListener("click", () => copyFrom(location.href));
  field.addEventListener("focus", () => field.select());

  // The browser's own steps back and forward, and addresses that somebody types.
  window.addEventListener("popstate", () => {
    const text = location.hash;
    if (text.slice(1) !== now(studio)) {
      tried(field, error, () => {
        const wanted = text === "" ? write(studio.state, studio.words) : text;
        studio.change(read(wanted, studio.known), false);
      });
    }
  });

  return () => {
    const text = now(studio);
    fill(field, error, text);
    if (location.hash.slice(1) !== text) {
      const put = studio.recorded && location.hash !== "" ? "pushState" : "replaceState";
      history[put](null, "", `#${text}`);
    }
  };
}

/**
 * What the address asks for at the start, and the sentence about what is wrong with it.
 *
 * @param {import("./studio.js").Studio} studio
 * @returns {{changes: Partial<import("./state.js").State>, message: string | null}}
 */
export function fromAddress(studio) {
  if (location.hash.length < 2) {
    return { changes: {}, message: null };
  }
  try {
    return { changes: read(location.hash, studio.known), message: null };
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    return { changes: {}, message: error.message };
  }
}

/** @param {import("./studio.js").Studio} studio */
function now({ state, words }) {
  return write(state, words);
}

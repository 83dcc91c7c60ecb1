/** The whole state as a text and in the address: copied, pasted, and gone back to. */

import { byId, onClick } from "./element.js";
import { AddressError, UserError } from "./errors.js";
import { fill, tried, whenTyped } from "./field.js";
import { copy } from "./files.js";
import { Steps } from "./history.js";
import { say } from "./languages.js";
import { read, write } from "./state.js";

const PAUSE = 200; // milliseconds

/**
 * It has what the address asks for drawn, at the start too.
 *
 * @param {import("./studio.js").Studio} studio
 * @returns {() => void} what shows the state anew
 */
export function sharePanel(studio) {
  const field = byId("state", HTMLInputElement);
  const error = byId("state-error", HTMLElement);
  const copied = byId("copied", HTMLElement);

  const copyFrom = async (/** @type {string} */ text) => {
    const done = await copy(text, field);
    copied.textContent = say(done ? "copied" : "notCopied");
  };
  let putting = 0;
  const steps = new Steps();
  /** Whether the address itself asked for what is drawn next, perhaps in other words than `write`. */
  let asked = false;
  /** What was shown when the address was wrong: until something else is, it stays to be mended. */
  let shownAtWrong = "";

  whenTyped(field, error, (text) => {
    studio.change(read(text, studio.known));
    shownAtWrong = "";
  });
  onClick("copy-state", () => copyFrom(now(studio)));
  onClick("copy-address", () => copyFrom(addressOf(now(studio))));
  field.addEventListener("focus", () => field.select());

  const follow = () =>
    tried(field, error, () => {
      clearTimeout(putting);
      const text = location.hash.slice(1);
      [asked, shownAtWrong] = [false, now(studio)];
      try {
        studio.change(text === "" ? {} : read(text, studio.known));
      } catch (wrong) {
        fill(field, error, shownAtWrong);
        field.value = text;
        if (wrong instanceof UserError) {
          studio.refuse(new AddressError(wrong.message));
        }
        throw wrong;
      }
      [asked, shownAtWrong] = [true, ""];
    });
  follow();

  // The browser's own steps back and forward, and addresses that somebody types.
  window.addEventListener("popstate", () => {
    const text = location.hash.slice(1);
    if (text !== "" && (text !== now(studio) || shownAtWrong !== "")) {
      follow();
    }
  });

  return () => {
    const text = now(studio);
    fill(field, error, text);
    if (studio.recorded && text !== shownAtWrong) {
      clearTimeout(putting);
      shownAtWrong = "";
      if (asked) {
        asked = false; // at once, so that what is drawn next gets a step of its own
        put(text, true);
        steps.stop();
      } else {
        // Once for all of a moment: browsers refuse too many changes of an address.
        putting = setTimeout(() => {
          put(text, steps.goesOn(location.hash, `#${text}`));
        }, PAUSE);
      }
    }
  };
}

/** @param {string} text @param {boolean} instead whether in place of the address that is there */
function put(text, instead) {
  if (location.hash.slice(1) === text) {
    return;
  }
  if (instead) {
    history.replaceState(null, "", `#${text}`); // else the browser's step back would end here again
  } else {
    history.pushState(null, "", `#${text}`);
  }
}

/** @param {string} text @returns {string} the page's address with a state */
function addressOf(text) {
  return `${location.href.split("#", 1)[0]}#${text}`;
}

/** @param {import("./studio.js").Studio} studio */
function now({ state, words }) {
  return write(state, words);
}

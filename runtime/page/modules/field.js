/** A field that somebody types into, with one sentence beside it where what was typed is wrong. */

import { UserError } from "./errors.js";
import { errorSentence } from "./languages.js";

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Field */

/**
 * Act on what was typed when the field is left or Enter is pressed.
 *
 * @param {HTMLInputElement} field
 * @param {HTMLElement} place of the sentence
 * @param {(text: string) => void} act throws a UserError where the text is wrong
 */
export function whenTyped(field, place, act) {
  field.addEventListener("change", () => tried(field, place, () => act(field.value)));
}

/**
 * Act, and say beside the field what is wrong.
 *
 * @param {Field} field
 * @param {HTMLElement} place
 * @param {() => void | Promise<void>} act throws a UserError where what the field holds is wrong
 */
export async function tried(field, place, act) {
  try {
    await act();
    right(field, place);
    delete field.dataset.filled; // it may be put in the page's own words
  } catch (error) {
    if (!(error instanceof UserError)) {
      throw error;
    }
    field.setAttribute("aria-invalid", "true");
    place.dataset.error = error.message;
    place.textContent = errorSentence(error.message);
  }
}

/**
 * Show in a field what holds now, where that has changed: else what somebody is typing stays, and
 * what is wrong there too, to be mended.
 *
 * @param {Field} field
 * @param {HTMLElement} place
 * @param {string} text
 * @param {string} [meaning] what is the same in every language
 */
export function fill(field, place, text, meaning = text) {
  const { filled, shown } = field.dataset;
  if (shown !== meaning || (filled !== text && place.dataset.error === undefined)) {
    right(field, place);
    field.value = text;
    field.dataset.filled = text;
  }
  field.dataset.shown = meaning;
}

/** Say in the language of now what is wrong in fields. */
export function sayErrorsAgain() {
  for (const place of document.querySelectorAll("[data-error]")) {
    if (place instanceof HTMLElement) {
      place.textContent = errorSentence(place.dataset.error ?? "");
    }
  }
}

/** @param {Field} field @param {HTMLElement} place */
function right(field, place) {
  field.removeAttribute("aria-invalid");
  delete place.dataset.error;
  place.textContent = "";
}

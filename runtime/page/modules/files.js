/** Files to the user, and texts to the clipboard. */

import { make } from "./element.js";

const TIME_TO_SAVE = 60_000; // milliseconds until the browser may forget a file

/**
 * Have the browser save a file.
 *
 * @param {string} name
 * @param {string} type of its content
 * @param {Uint8Array<ArrayBuffer> | string} content
 */
export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), TIME_TO_SAVE);
}

/**
 * Copy what stands in a field; where the browser forbids that, it is marked there for the user.
 *
 * @param {string} text
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copy(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field.value = text;
    field.select();
    return document.execCommand("copy");
  }
}

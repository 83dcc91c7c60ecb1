/**
 * Errors that a user can cause, and how they quote what was found: sentences as Python's
 * edgegan.runtime.errors has them.
 */

/** The most letters that `quoted` shows. */
const MOST_QUOTED = 100;

/** Python's escapes of one letter, by the character that they stand for. */
const SHORT_ESCAPES = new Map([
  ["\\", "\\\\"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
]);

/**
 * What Python shows by its number: what is not printable, of all white space but the space.
 * Letters newer than this machine's edition of Unicode are among them, as in Python.
 */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/u;

/** An error a user can cause: its message is one sentence, without a full stop. */
export class UserError extends Error {
  name = "UserError";
}

/** What is wrong with the page's address. */
export class AddressError extends UserError {}

/**
 * Write a text as Python's repr() does.
 *
 * @param {string} text
 * @returns {string}
 */
export function repr(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const shown = Array.from(text, (character) =>
    character === quote ? `\\${quote}` : escaped(character),
  );
  return quote + shown.join("") + quote;
}

/**
 * Quote in an error what somebody wrote: cut in its middle where it is long.
 *
 * @param {string} text
 * @returns {string}
 */
export function quoted(text) {
  const characters = Array.from(text);
  const whole = Array.from(repr(characters.slice(0, MOST_QUOTED).join("")));
  if (whole.length <= MOST_QUOTED) {
    return whole.join("");
  }
  const atStart = (MOST_QUOTED - 3) >> 1;
  const atEnd = MOST_QUOTED - 3 - atStart;
  const kept = [...characters.slice(0, atStart), ...characters.slice(-atEnd)];
  const cut = Array.from(repr(kept.join("")));
  return `${cut.slice(0, atStart).join("")}...${cut.slice(-atEnd).join("")}`;
}

/**
 * @param {string} character one code point
 * @returns {string}
 */
function escaped(character) {
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined || !UNPRINTABLE.test(character)) {
    return short ?? character;
  }
  const code = /** @type {number} */ (character.codePointAt(0));
  const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}

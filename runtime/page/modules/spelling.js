/** Words as they are compared, as in edgegan.runtime.words, and Python's white space. */

/** Spellings of one word, and what they are read as. */
const SAME = new Map([
  ["blonde", "blond"],
  ["grey", "gray"],
]);

// What Python's str.isspace() and re's \s know, which is more than JavaScript's \s and less (of a
// byte order mark): Unicode's, and the four separators of ASCII.
const SPACE = String.raw`\p{White_Space}\x1c-\x1f`;
const AT_START = new RegExp(`^[${SPACE}]+`, "u");
const AT_END = new RegExp(`[${SPACE}]+$`, "u");
const SPACES = new RegExp(`[${SPACE}]+`, "u");
const SEPARATORS = new RegExp(`[${SPACE}_,;\u3001]+`, "gu");

const CHEROKEE = /\p{Script=Cherokee}/u;

/**
 * A word as it is compared: of one case, spelling and form of Unicode, without commas.
 *
 * @param {string} word
 * @returns {string}
 */
export function plain(word) {
  const folded = casefold(word.normalize("NFKC")).normalize("NFKC");
  return split(folded.replace(SEPARATORS, " "))
    .map((part) => SAME.get(part) ?? part)
    .join(" ");
}

/**
 * Cut a text at its white space, as Python's str.split() does.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function split(text) {
  return text.split(SPACES).filter((part) => part !== "");
}

/**
 * @param {string} text
 * @returns {string} without white space at both ends
 */
export function strip(text) {
  return stripEnd(text.replace(AT_START, ""));
}

/**
 * @param {string} text
 * @returns {string} without white space at its end
 */
export function stripEnd(text) {
  return text.replace(AT_END, "");
}

/**
 * Fold the cases of letters into one (Unicode's CaseFolding.txt, C and F), as Python's
 * str.casefold(): JavaScript has no such function.
 *
 * @param {string} text
 * @returns {string}
 */
export function casefold(text) {
  return Array.from(text, folded).join("");
}

/**
 * @param {string} character one code point: a word would have a last sigma of its own
 * @returns {string}
 */
function folded(character) {
  if (character === "\u0131") {
    return character; // of i without a dot the capital is I, but they are not folded into one
  }
  const upper = character.toLowerCase().toUpperCase();
  return CHEROKEE.test(character) ? upper : upper.toLowerCase();
}

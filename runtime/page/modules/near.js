/** Words that are like one that somebody wrote, as nearest of edgegan.runtime.choices finds them. */

const SMALLEST_RATIO = 0.6; // below it half of the letters are others
const MOST_MATCHES = 2;

/**
 * The words that are most like another, at most two, the most alike first; none if none is.
 *
 * The ratio is that of Ratcliff and Obershelp ("Pattern Matching: The Gestalt Approach", Dr. Dobb's
 * Journal, July 1988): twice the letters that match of all letters of both. What difflib leaves out
 * of texts of 200 letters and more is not left out: no word of a model is like one of those.
 *
 * @param {string} word
 * @param {Iterable<string>} known no word twice
 * @returns {string[]}
 */
export function closeMatches(word, known) {
  const letters = Array.from(word);
  return Array.from(known, (other) => ({ other, ratio: ratio(Array.from(other), letters) }))
    .filter((match) => match.ratio >= SMALLEST_RATIO)
    .sort((a, b) => b.ratio - a.ratio || (a.other < b.other ? 1 : -1))
    .slice(0, MOST_MATCHES)
    .map((match) => match.other);
}

/**
 * @param {string[]} a letters
 * @param {string[]} b letters, not none
 * @returns {number} from 0 to 1
 */
function ratio(a, b) {
  const most = (2 * Math.min(a.length, b.length)) / (a.length + b.length);
  return most < SMALLEST_RATIO ? most : (2 * matching(a, b)) / (a.length + b.length);
}

/**
 * How many letters match: those of the longest piece that both have, and of what stands before it
 * in both and after it in both, likewise.
 *
 * @param {string[]} a
 * @param {string[]} b
 * @returns {number}
 */
function matching(a, b) {
  const { inA, inB, length } = longestMatch(a, b);
  if (length === 0) {
    return 0;
  }
  const before = matching(a.slice(0, inA), b.slice(0, inB));
  return before + length + matching(a.slice(inA + length), b.slice(inB + length));
}

/**
 * The longest piece that both have, of several the first in a, and of those the first in b.
 *
 * @param {string[]} a
 * @param {string[]} b
 * @returns {{ inA: number, inB: number, length: number }}
 */
function longestMatch(a, b) {
  let longest = { inA: 0, inB: 0, length: 0 };
  /** How long the piece is that ends with a letter of a and with each one of b. */
  let lengths = b.map(() => 0);
  for (const [i, letter] of a.entries()) {
    const before = lengths;
    lengths = b.map((other, j) => (other === letter ? (j > 0 ? before[j - 1] : 0) + 1 : 0));
    for (const [j, length] of lengths.entries()) {
      if (length > longest.length) {
        longest = { inA: i - length + 1, inB: j - length + 1, length };
      }
    }
  }
  return longest;
}

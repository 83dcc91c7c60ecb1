/**
 * Texts that name words of groups, read forgivingly: "blue hair red eyes", "hair=blue,eyes=red".
 *
 * What it reads, and the sentence where it cannot, are those of edgegan.runtime.texts, which says
 * more of it. A mapping's values that are no strings are taken as they stand in the JSON, where
 * Python writes them in its own way (True for true); NaN and Infinity are no JSON here.
 */

import { quoted, repr, UserError } from "./errors.js";
import { closeMatches } from "./near.js";
import { plain, split, strip, stripEnd } from "./spelling.js";

/** @typedef {{ name: string, words: string[] }} Group a list of words of which a picture has one */

/** @typedef {(number | null)[]} Choice the number of a word for each group; null where of none */

/** @typedef {[group: number, word: number]} Pair */

/**
 * @typedef {[pairs: Pair[], end: number]} Step what a part of a text may mean, and where what
 *   follows begins
 */

/** @typedef {(start: number) => Iterable<Step>} Steps those from one token of a text on */

/** Of a text: those that name a word of every group have fewer. */
const MOST_CHARACTERS = 4000;

/** Characters of words, in an error. */
const MOST_LISTED = 1500;

/** Full stops, and white space around them. */
const ENDS = /[ \t\r\n\u3000.\u3002\uff0e\uff61]+$/;

/** Other commas are a word's own. */
const NEXT_PAIR = /[,;\u3001](?=[^,;\u3001=]*=)/;

/** Strings and signs of a text in JSON. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** Reads texts that name words of some groups. */
export class Reader {
  #groups;

  /** The numbers of the groups' words, by their plain forms. */
  #words;

  /** @type {Map<string, number>} the numbers of the groups, by their names in both numbers */
  #names;

  /** Of how many tokens a word may be, the most first. */
  #wordSizes;

  /** Of how many tokens a group's name may be, the most first. */
  #nameSizes;

  /** @param {readonly Group[]} groups */
  constructor(groups) {
    this.#groups = groups;
    this.#words = groups.map(
      (group) => new Map(group.words.map((word, number) => [plain(word), number])),
    );
    this.#names = new Map(groups.map((group, index) => [plain(group.name), index]));
    for (const [name, index] of [...this.#names]) {
      const other = name.endsWith("s") ? name.slice(0, -1) : `${name}s`;
      if (other && !this.#names.has(other)) {
        this.#names.set(other, index);
      }
    }
    this.#wordSizes = sizes(this.#words.flatMap((words) => [...words.keys()]));
    this.#nameSizes = sizes([...this.#names.keys()]);
  }

  /**
   * The number of the word that a text names of each group; null where it names none.
   *
   * @param {string} text
   * @returns {Choice}
   * @throws {UserError} it is empty or too long, names a word or a group that there is not, two
   *   words of one group, or one of several groups without saying of which
   */
  read(text) {
    const pairs = this.#pairs(text);
    if (pairs.length === 0) {
      const example = this.#groups.map(({ name, words }) => `${words[0]} ${name}`).join(" ");
      throw new UserError(`a text is ${quoted(text)}, expected words such as ${repr(example)}`);
    }
    /** @type {Choice} */
    const choice = this.#groups.map(() => null);
    for (const [index, number] of pairs) {
      if (choice[index] !== null && choice[index] !== number) {
        const { name } = this.#groups[index];
        throw new UserError(`${quoted(text)} names two words of ${name}, expected one`);
      }
      choice[index] = number;
    }
    return choice;
  }

  /**
   * @param {string} text
   * @returns {Pair[]}
   */
  #pairs(text) {
    const { length } = Array.from(text);
    if (length > MOST_CHARACTERS) {
      throw new UserError(`a text has ${length} characters, expected at most ${MOST_CHARACTERS}`);
    }
    const pairs = jsonPairs(text);
    if (pairs !== null) {
      return this.#ofPairs(pairs);
    }
    const ended = text.replace(ENDS, "");
    try {
      return this.#ofText(text);
    } catch (error) {
      // Else there is no full stop, or it is a word's own.
      if (!(error instanceof UserError) || ended === stripEnd(text)) {
        throw error;
      }
    }
    return this.#ofText(ended);
  }

  /**
   * @param {[name: string, word: string][]} pairs
   * @returns {Pair[]}
   */
  #ofPairs(pairs) {
    return pairs.map(([name, word]) => this.#named(name, word));
  }

  /**
   * @param {string} text
   * @returns {Pair[]}
   */
  #ofText(text) {
    const tokens = split(plain(text));
    const found =
      way(tokens.length, (start) => this.#steps(tokens, start)) ??
      way(tokens.length, (start) => this.#stepsFromNames(tokens, start));
    if (found !== null) {
      return found.map((pairs) => this.#only(pairs, text));
    }
    const parts = text.normalize("NFKC").split(NEXT_PAIR);
    if (parts[0].includes("=")) {
      return parts.flatMap((part) => this.#ofPairs(this.#parted(part)));
    }
    throw this.#notUnderstood(tokens);
  }

  /**
   * The names and words of "hair=blue eyes=red", which has no commas.
   *
   * @param {string} part
   * @returns {[name: string, word: string][]}
   */
  #parted(part) {
    /** @type {[string, string][]} */
    const pairs = [];
    let [name, word] = partition(part);
    while (word.includes("=") && !this.#isWord(name, word)) {
      const [before, after] = partition(word);
      const tokens = split(before);
      const place = this.#nameAtEnd(tokens);
      if (place === null) {
        break;
      }
      pairs.push([name, tokens.slice(0, place).join(" ")]);
      name = tokens.slice(place).join(" ");
      word = after;
    }
    pairs.push([name, word]);
    return pairs;
  }

  /**
   * Where the longest name of a group begins that tokens end with, and that is not all of them.
   *
   * @param {string[]} tokens
   * @returns {number | null}
   */
  #nameAtEnd(tokens) {
    for (let at = Math.max(1, tokens.length - this.#nameSizes[0]); at < tokens.length; at += 1) {
      if (this.#names.has(plain(tokens.slice(at).join(" ")))) {
        return at;
      }
    }
    return null;
  }

  /**
   * @param {string} name
   * @param {string} word
   * @returns {boolean}
   */
  #isWord(name, word) {
    const index = this.#names.get(plain(name));
    return index !== undefined && this.#words[index].has(plain(word));
  }

  /**
   * A word of the group of that name.
   *
   * @param {string} name
   * @param {string} word
   * @returns {Pair}
   */
  #named(name, word) {
    const index = this.#names.get(plain(name));
    if (index === undefined) {
      const names = this.#groups.map((group) => group.name).join(", ");
      throw new UserError(`${quoted(strip(name))} is no group of words, expected one of ${names}`);
    }
    const number = this.#words[index].get(plain(word));
    if (number === undefined) {
      throw this.#unknown(word, [index]);
    }
    return [index, number];
  }

  /**
   * The one group and word that a part of a text can mean.
   *
   * @param {Pair[]} pairs
   * @param {string} text
   * @returns {Pair}
   */
  #only(pairs, text) {
    if (pairs.length === 1) {
      return pairs[0];
    }
    const words = pairs.map(([index, number]) => {
      const group = this.#groups[index];
      return `${group.words[number]} ${group.name}`;
    });
    throw new UserError(`${quoted(text)} may mean ${words.join(" or ")}, expected one of them`);
  }

  /**
   * The words that begin at a token, the longest first, with their groups' names or not.
   *
   * @param {string[]} tokens
   * @param {number} start
   * @returns {Iterable<Step>}
   */
  *#steps(tokens, start) {
    for (const [pairs, end] of this.#wordsAt(tokens, start)) {
      for (const [index, after] of this.#namesAt(tokens, end)) {
        const named = pairs.filter((pair) => pair[0] === index);
        if (named.length > 0) {
          yield [named, after];
        }
      }
      yield [pairs, end];
    }
  }

  /**
   * The words of the groups whose names begin at a token, the longest first.
   *
   * @param {string[]} tokens
   * @param {number} start
   * @returns {Iterable<Step>}
   */
  *#stepsFromNames(tokens, start) {
    for (const [index, after] of this.#namesAt(tokens, start)) {
      for (const [pairs, end] of this.#wordsAt(tokens, after)) {
        const named = pairs.filter((pair) => pair[0] === index);
        if (named.length > 0) {
          yield [named, end];
        }
      }
    }
  }

  /**
   * The words that begin at a token, the longest first.
   *
   * @param {string[]} tokens
   * @param {number} start
   * @returns {Iterable<Step>}
   */
  *#wordsAt(tokens, start) {
    for (const size of this.#wordSizes) {
      const end = start + size;
      if (end > tokens.length) {
        continue;
      }
      const word = tokens.slice(start, end).join(" ");
      /** @type {Pair[]} */
      const pairs = [];
      for (const [index, known] of this.#words.entries()) {
        const number = known.get(word);
        if (number !== undefined) {
          pairs.push([index, number]);
        }
      }
      if (pairs.length > 0) {
        yield [pairs, end];
      }
    }
  }

  /**
   * The groups whose names begin at a token, and where what follows them begins.
   *
   * @param {string[]} tokens
   * @param {number} start
   * @returns {Iterable<[group: number, end: number]>}
   */
  *#namesAt(tokens, start) {
    for (const size of this.#nameSizes) {
      const end = start + size;
      const index = this.#names.get(tokens.slice(start, end).join(" "));
      if (index !== undefined && end <= tokens.length) {
        yield [index, end];
      }
    }
  }

  /**
   * Say which part of a text is no word: what the furthest of all ways stops at.
   *
   * @param {string[]} tokens
   * @returns {UserError}
   */
  #notUnderstood(tokens) {
    /** @type {Steps} */
    const steps = (start) => this.#steps(tokens, start);
    /** @param {number} start */
    const isName = (start) => any(this.#namesAt(tokens, start));
    if (!any(steps(0))) {
      const [stop] = furthest(tokens.length, (start) => this.#stepsFromNames(tokens, start));
      for (const [index, start] of this.#namesAt(tokens, stop)) {
        let end = start;
        while (end < tokens.length && !isName(end)) {
          end += 1;
        }
        if (end > start) {
          return this.#unknown(tokens.slice(start, end).join(" "), [index]);
        }
      }
    }
    let [stop, start] = furthest(tokens.length, steps);
    if (stop === 0 || !isName(stop)) {
      // Else a group has no such word.
      start = stop;
      stop += 1;
      while (stop < tokens.length && !isName(stop) && !any(steps(stop))) {
        stop += 1;
      }
    }
    const named = Array.from(this.#namesAt(tokens, stop), ([index]) => index);
    const indices = named.length > 0 ? named : [...this.#groups.keys()];
    return this.#unknown(tokens.slice(start, stop).join(" "), indices);
  }

  /**
   * Say that groups have no such word, which it may be meant to be, and which there are.
   *
   * That may be a group's name, too: of "hare" with a group hair.
   *
   * @param {string} word
   * @param {number[]} indices
   * @returns {UserError}
   */
  #unknown(word, indices) {
    const groups = indices.map((index) => this.#groups[index]);
    const known = [...groups.flatMap((group) => group.words), ...groups.map(({ name }) => name)];
    const spelled = new Map(known.map((phrase) => [plain(phrase), phrase]));
    const near = closeMatches(plain(word), spelled.keys()).map((phrase) => spelled.get(phrase));
    const meant = near.length > 0 ? `: did you mean ${near.join(" or ")}? E` : ", e";
    const names = groups.map((group) => group.name).join(" or ");
    const lists = groups.map((group) => {
      const list = `one of ${listed(group.words, groups.length)}`;
      return groups.length > 1 ? `for ${group.name} ${list}` : list;
    });
    return new UserError(
      `${quoted(strip(word))} is no word of ${names}${meant}xpected ${lists.join("; ")}`,
    );
  }
}

/**
 * What the words of a text may mean, one after the other; null where there is no way.
 *
 * @param {number} length of the text, in tokens
 * @param {Steps} steps
 * @returns {Pair[][] | null}
 */
function way(length, steps) {
  // From the end, so that no place is looked at twice: where the rest can be read, the longest
  // word with its group's name comes first.
  /** @type {(Step | undefined)[]} */
  const ways = new Array(length);
  for (let start = length - 1; start >= 0; start -= 1) {
    for (const step of steps(start)) {
      if (step[1] === length || ways[step[1]] !== undefined) {
        ways[start] = step;
        break;
      }
    }
  }
  const found = [];
  for (let at = 0; at < length; ) {
    const step = ways[at];
    if (step === undefined) {
      return null;
    }
    found.push(step[0]);
    at = step[1];
  }
  return found;
}

/**
 * Where the furthest of all ways stops, and where its last step began.
 *
 * @param {number} length of the text, in tokens
 * @param {Steps} steps
 * @returns {[stop: number, start: number]}
 */
function furthest(length, steps) {
  const cameFrom = new Map([[0, 0]]);
  let stop = 0;
  for (let start = 0; start < length; start += 1) {
    if (cameFrom.has(start)) {
      for (const [, end] of steps(start)) {
        cameFrom.set(end, start);
        stop = Math.max(stop, end);
      }
    }
  }
  return [stop, /** @type {number} */ (cameFrom.get(stop))];
}

/**
 * The names and words of a mapping in JSON, also of names given twice; null of other text.
 *
 * @param {string} text
 * @returns {[name: string, word: string][] | null}
 */
function jsonPairs(text) {
  if (!strip(text).startsWith("{")) {
    return null;
  }
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  // Its own result would have the last of a name that is given twice.
  /** @type {[string, string][]} */
  const pairs = [];
  let depth = 0;
  let name = "";
  let string = "";
  let start = 0;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token === "}" || token === "]") {
      depth -= 1;
    }
    if (token === ":" && depth === 1) {
      name = string;
      start = index + 1;
    } else if ((token === "," && depth === 1) || (depth === 0 && start > 0)) {
      const value = text.slice(start, index).trim();
      pairs.push([JSON.parse(name), value.startsWith('"') ? JSON.parse(value) : value]);
    } else if (token === "{" || token === "[") {
      depth += 1;
    }
    string = token;
  }
  return pairs;
}

/**
 * @param {string} text
 * @returns {[before: string, after: string]} of the first "=", where there is one
 */
function partition(text) {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/**
 * Of how many tokens phrases are, the most first.
 *
 * @param {string[]} phrases
 * @returns {number[]}
 */
function sizes(phrases) {
  return [...new Set(phrases.map((phrase) => split(phrase).length))].sort((a, b) => b - a);
}

/**
 * Words with commas between, and where they are too many for a sentence, how many more.
 *
 * @param {readonly string[]} words
 * @param {number} lists how many such lists a sentence has
 * @returns {string}
 */
function listed(words, lists) {
  let shown = words;
  while (Array.from(shown.join(", ")).length > Math.floor(MOST_LISTED / lists)) {
    shown = shown.slice(0, shown.length >> 1);
  }
  const more = words.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more, which edgegan show lists` : "");
}

/**
 * @param {Iterable<unknown>} items
 * @returns {boolean} whether there is one
 */
function any(items) {
  for (const _ of items) {
    return true;
  }
  return false;
}

/** The words that a conditional generator takes, as edgegan.runtime.words has them. */

import { UserError } from "./errors.js";
import { checkSeed, Stream } from "./latents.js";
import { Philox } from "./philox.js";
import { Reader } from "./reader.js";

/** @typedef {import("./reader.js").Group} Group */
/** @typedef {import("./reader.js").Choice} Choice */

/** The groups of a conditional generator, and how often its pictures had which words together. */
export class Words {
  /** In the order of the one-hot vectors. */
  groups;

  /** How many numbers a condition has. */
  size;

  #starts;
  #combinations;
  #reader;

  /**
   * @param {Group[]} groups
   * @param {number[][]} combinations of words that training pictures had, their numbers within
   *   their groups; the last number of each is how many pictures had it
   */
  constructor(groups, combinations) {
    this.groups = groups;
    this.size = 0;
    /** @type {number[]} */
    this.#starts = [];
    for (const group of groups) {
      this.#starts.push(this.size);
      this.size += group.words.length;
    }
    this.#combinations = combinations;
    this.#reader = new Reader(groups);
  }

  /**
   * Read what Python's Words.to_json wrote, which Python has checked.
   *
   * @param {string} text
   * @returns {Words}
   */
  static fromJson(text) {
    const { groups, combinations } = JSON.parse(text);
    return new Words(groups, combinations);
  }

  /**
   * A choice as a condition.
   *
   * @param {readonly number[]} choice a number for each group; of -1, no word, zeros
   * @returns {Float32Array} (size,)
   */
  oneHot(choice) {
    const condition = new Float32Array(this.size);
    for (const [group, number] of choice.entries()) {
      if (number >= 0) {
        condition[this.#starts[group] + number] = 1;
      }
    }
    return condition;
  }

  /**
   * Read a text: the number of the word that it names of each group, null where of none.
   *
   * @param {string} text words, each with or without the name of its group after it ("blue hair red
   *   eyes"), or all with it before ("hair blue eyes red"), "hair=blue,eyes=red", or a mapping in
   *   JSON
   * @returns {Choice}
   * @throws {UserError} it is empty or too long, names a word or a group that there is not, two
   *   words of one group, or one of several groups without saying of which
   */
  parse(text) {
    return this.#reader.read(text);
  }

  /**
   * A choice as text that `parse` reads: "blue hair red eyes"; of one group the word alone. Where
   * words are such that this would be read in another way, the text is a mapping in JSON.
   *
   * @param {Readonly<Choice>} choice
   * @returns {string} empty where it names no word
   */
  describe(choice) {
    const named = this.groups.flatMap(({ name, words }, group) => {
      const number = choice[group];
      return number === null ? [] : [[name, words[number]]];
    });
    const text = named
      .map(([name, word]) => (this.groups.length > 1 ? `${word} ${name}` : word))
      .join(" ");
    if (named.length === 0 || this.#means(text, choice)) {
      return text;
    }
    const pairs = named.map((pair) => pair.map((part) => JSON.stringify(part)).join(": "));
    return `{${pairs.join(", ")}}`;
  }

  /**
   * The numbers of each group of a condition.
   *
   * @param {Float32Array} condition (size,)
   * @returns {Float32Array[]} parts of it, not copies
   */
  parts(condition) {
    return this.groups.map(({ words }, group) =>
      condition.subarray(this.#starts[group], this.#starts[group] + words.length),
    );
  }

  /**
   * Draw choice `index` of a seed, as training pictures have them. It depends on the seed, the
   * index and what is given only.
   *
   * @param {bigint} seed
   * @param {bigint | number} index
   * @param {Readonly<Choice>} given the other groups are drawn from those combinations that have
   *   most of it: all of it, where there was a picture that did
   * @returns {number[]} the number of a word for each group
   * @throws {UserError} the seed is not 0 to MAX_SEED
   * @throws {RangeError} the index is not 0 to 2^64 - 1
   */
  draw(seed, index, given = this.groups.map(() => null)) {
    checkSeed(seed);
    const likeliest = this.#likeliest(given);
    let pictures = 0;
    const ends = likeliest.map((combination) => {
      pictures += combination[this.groups.length];
      return pictures;
    });
    const place = new Philox(seed, Stream.CONDITION, BigInt(index)).random() * pictures;
    const drawn = likeliest[ends.findIndex((end) => place < end)];
    return given.map((number, group) => number ?? drawn[group]);
  }

  /**
   * Draw the groups that a condition leaves open, as `draw` does, given the others.
   *
   * @param {bigint} seed
   * @param {bigint | number} index
   * @param {Float32Array} condition (size,); a group that is zeros is open, all else stays as it
   *   is. Of a mixture the likeliest word counts as given.
   * @returns {Float32Array} (size,)
   * @throws {UserError} the seed is not 0 to MAX_SEED
   * @throws {RangeError} the index is not 0 to 2^64 - 1
   */
  filled(seed, index, condition) {
    const given = this.#named(condition);
    const drawn = this.draw(seed, index, given);
    const added = this.oneHot(drawn.map((number, group) => (given[group] === null ? number : -1)));
    return condition.map((value, at) => value + added[at]);
  }

  /**
   * The likeliest word of each group of a condition; null of a group that is zeros.
   *
   * @param {Float32Array} condition
   * @returns {Choice}
   */
  #named(condition) {
    return this.parts(condition).map((part) =>
      part.some((value) => value !== 0) ? part.indexOf(Math.max(...part)) : null,
    );
  }

  /**
   * The combinations that have most of what is given.
   *
   * @param {Readonly<Choice>} given
   * @returns {number[][]}
   */
  #likeliest(given) {
    const common = this.#combinations.map(
      (combination) => given.filter((number, group) => number === combination[group]).length,
    );
    const most = Math.max(...common);
    return this.#combinations.filter((_, index) => common[index] === most);
  }

  /**
   * @param {string} text
   * @param {Readonly<Choice>} choice
   * @returns {boolean}
   */
  #means(text, choice) {
    try {
      return this.parse(text).every((number, group) => number === choice[group]);
    } catch (error) {
      if (error instanceof UserError) {
        return false;
      }
      throw error;
    }
  }
}

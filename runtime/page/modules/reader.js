/** Texts that name words of groups (being written: reads words that stand alone). */

/** @typedef {import("./words.js").Choice} Choice */

export class Reader {
  #groups;

  /** @param {readonly import("./words.js").Group[]} groups */
  constructor(groups) {
    this.#groups = groups;
  }

  /**
   * @param {string} text
   * @returns {Choice}
   */
  read(text) {
    const tokens = text.split(" ");
    return this.#groups.map(({ words }) => {
      const number = words.findIndex((word) => tokens.includes(word));
      return number < 0 ? null : number;
    });
  }
}

/** What was drawn, the newest first: each state once. */

/** @typedef {import("./png.js").Picture} Picture */
/** @typedef {import("./state.js").State} State */

/** @typedef {{text: string, state: State, picture: Picture}} Entry its state as text, and a face of it */

export const MOST_ENTRIES = 60;

export class History {
  /** @type {Entry[]} */
  entries = [];

  /**
   * Put a state first; one that is there stays where it is.
   *
   * @param {Entry} entry
   * @returns {boolean} whether it was put there
   */
  add(entry) {
    if (this.entries.some(({ text }) => text === entry.text)) {
      return false;
    }
    this.entries = [entry, ...this.entries].slice(0, MOST_ENTRIES);
    return true;
  }
}

/** What was drawn, the newest first: each state once. */

/** @typedef {import("./png.js").Picture} Picture */
/** @typedef {import("./state.js").State} State */

/** @typedef {{text: string, state: State, picture: Picture}} Entry its state as text, and a face of it */

const MOST = 60;

export class History {
  /** @type {Entry[]} */
  entries = [];

  /**
   * Put a state first; where it was there before, it moves.
   *
   * @param {Entry} entry
   */
  add(entry) {
    const others = this.entries.filter(({ text }) => text !== entry.text);
    this.entries = [entry, ...others].slice(0, MOST);
  }
}

/** What was drawn, the newest first: each state once, and of a slider on its way the last place. */

/** @typedef {import("./state.js").State} State */

/**
 * @typedef {object} Entry
 * @property {string} text its state as text
 * @property {State} state
 * @property {HTMLCanvasElement} thumb what was drawn, small
 */

export const MOST_ENTRIES = 60;

export class History {
  /** @type {Entry[]} */
  entries = [];

  #steps = new Steps();

  /**
   * Put a state first; one that is there stays where it is. It takes the place of the newest one
   * where a slider made both.
   *
   * @param {Entry} entry
   * @returns {boolean} whether it was put there
   */
  add(entry) {
    if (this.entries.some(({ text }) => text === entry.text)) {
      return false;
    }
    const instead = this.#steps.goesOn(this.entries[0]?.text ?? "", entry.text);
    this.entries = [entry, ...this.entries.slice(instead ? 1 : 0)].slice(0, MOST_ENTRIES);
    return true;
  }
}

/** Steps from state to state, of which many in a row may be one slider's, on its way. */
export class Steps {
  /** The slider that made the last step. @type {string | null} */
  #slider = null;

  /**
   * @param {string} text of the state before the next step
   * @param {string} next of the state after it
   * @returns {boolean} whether the slider that made the last step makes this one too
   */
  goesOn(text, next) {
    const slider = sliderBetween(text, next);
    const same = slider !== null && slider === this.#slider;
    this.#slider = slider;
    return same;
  }

  /** The next step is nobody's who made one before. */
  stop() {
    this.#slider = null;
  }
}

/**
 * @param {string} text of a state
 * @param {string} other
 * @returns {string | null} the slider in whose place alone they differ; null where there is none
 */
function sliderBetween(text, other) {
  const [before, after] = [new URLSearchParams(text), new URLSearchParams(other)];
  const keys = [...new Set([...before.keys(), ...after.keys()])].filter(
    (key) => before.get(key) !== after.get(key),
  );
  if (keys.length === 1 && keys[0] === "percent") {
    const percents = before.get("percent")?.split(",") ?? [];
    const others = after.get("percent")?.split(",") ?? [];
    const places = percents.flatMap((percent, place) => (percent === others[place] ? [] : [place]));
    return places.length === 1 ? `percent ${places[0]}` : null;
  }
  return keys.length === 1 && keys[0] === "degrees" ? "degrees" : null;
}

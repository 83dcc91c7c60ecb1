/**
 * What is shown, and how it comes to be: a state is drawn, and only then takes the place of the one
 * before, so that nothing flickers. Of states asked for while another is drawn the last counts.
 *
 * "opening" another model, "drawn" and "trouble" are the events that it tells of; the controls read
 * the rest from it.
 */

import { numbersOf } from "./drawing.js";
import { Model } from "./model.js";
import { anotherFace, initial, moved } from "./state.js";
import { Words } from "./words.js";

/** @typedef {import("./drawing.js").Numbers} Numbers */
/** @typedef {import("./parts.js").ModelFacts} ModelFacts */
/** @typedef {import("./png.js").Picture} Picture */
/** @typedef {import("./state.js").Known} Known */
/** @typedef {import("./state.js").State} State */

export class Studio extends EventTarget {
  /** @type {Known[]} of all models */
  known;

  /** @type {State} what is shown */
  state;

  /** @type {State} what was asked for last, to which changes are made; mostly what is shown */
  wanted;

  /** @type {Picture[]} the pictures of the state */
  pictures = [];

  /** @type {Numbers | null} what they were drawn of */
  numbers = null;

  /** Whether what is shown is to be found again: false of the places of a slider on its way. */
  recorded = false;

  /** @type {unknown} why the last state that was asked for could not be drawn */
  reason = null;

  #facts;
  /** @type {Map<string, Promise<Model>>} */
  #opened = new Map();
  #recording = false;
  /** @type {Promise<void> | null} */
  #drawing = null;

  /** @param {ModelFacts[]} facts of all models, at least one */
  constructor(facts) {
    super();
    this.#facts = new Map(facts.map((model) => [model.id, model]));
    this.known = facts.map(({ id, words, latentSize }) => ({
      id,
      latentSize,
      words: words === null ? null : Words.fromJson(words),
    }));
    this.state = initial(this.known[0]);
    this.wanted = this.state;
  }

  /** @returns {ModelFacts} of the model of the state */
  get facts() {
    return this.factsOf(this.state.model);
  }

  /** @returns {Words | null} of the model of the state */
  get words() {
    return this.#knownOf(this.state.model).words;
  }

  /** @returns {boolean} whether another model was asked for, whose words may be others */
  get changesModel() {
    return this.wanted.model !== this.state.model;
  }

  /** @param {string} id @returns {ModelFacts} */
  factsOf(id) {
    const facts = this.#facts.get(id);
    if (facts === undefined) {
      throw new Error(`no model ${id}`);
    }
    return facts;
  }

  /**
   * Draw another state. Where its model cannot, and nothing is shown yet, another model draws it.
   *
   * @param {Partial<State>} changes to that which was asked for last
   * @param {boolean} [recorded] whether to keep it in the history and the address
   * @returns {Promise<void>} done when it, or one after it, is shown, or could not be
   */
  change(changes, recorded = true) {
    const { model, ...others } = changes;
    let wanted = this.wanted;
    if (model !== undefined && model !== wanted.model) {
      wanted = moved(wanted, this.#knownOf(wanted.model), this.#knownOf(model));
    }
    wanted = { ...wanted, ...others };
    if (wanted.view === "walk" && wanted.to === null) {
      wanted.to = anotherFace(wanted);
    }
    this.wanted = wanted;
    if (this.changesModel) {
      this.dispatchEvent(new Event("opening"));
    }
    this.#recording ||= recorded;
    this.#drawing ??= this.#drawAll();
    return this.#drawing;
  }

  /**
   * Tell why what somebody asks for cannot be drawn; what is shown stays.
   *
   * @param {unknown} reason
   */
  refuse(reason) {
    this.reason = reason;
    this.dispatchEvent(new Event("trouble"));
  }

  async #drawAll() {
    /** @type {Set<string>} */
    const broken = new Set(); // the models that could not draw
    await null; // so that it has not ended when `change` notes that it goes on
    while (this.wanted !== this.state || this.numbers === null) {
      const state = this.wanted;
      try {
        const { words } = this.#knownOf(state.model);
        const numbers = numbersOf(this.factsOf(state.model), words, state);
        const pictures = await this.#picturesOf(state.model, numbers);
        this.recorded = this.#recording && state === this.wanted;
        Object.assign(this, { state, numbers, pictures });
        this.#recording &&= !this.recorded;
        this.dispatchEvent(new Event("drawn"));
      } catch (error) {
        if (state !== this.wanted) {
          continue; // what was asked for since may be drawn
        }
        broken.add(state.model);
        const other = this.known.find(({ id }) => !broken.has(id));
        const goesOn = this.numbers === null && other !== undefined;
        this.wanted = goesOn ? moved(state, this.#knownOf(state.model), other) : this.state;
        this.#recording &&= goesOn;
        this.refuse(error);
        if (!goesOn) {
          break;
        }
      }
    }
    this.#drawing = null;
  }

  /** @param {string} id @param {Numbers} numbers @returns {Promise<Picture[]>} */
  async #picturesOf(id, { count, latents, conditions }) {
    const model = await this.#open(id);
    const pixels = await model.images(latents, conditions);
    const size = this.factsOf(id).imageSize;
    const length = 3 * size * size;
    return Array.from({ length: count }, (_, place) => ({
      width: size,
      height: size,
      rgb: pixels.subarray(place * length, (place + 1) * length),
    }));
  }

  /** @param {string} id */
  #open(id) {
    const opening = this.#opened.get(id) ?? Model.open(this.factsOf(id));
    this.#opened.set(id, opening);
    opening.catch(() => this.#opened.delete(id)); // so that it can be tried again
    return opening;
  }

  /** @param {string} id */
  #knownOf(id) {
    const found = this.known.find((model) => model.id === id);
    if (found === undefined) {
      throw new Error(`no model ${id}`);
    }
    return found;
  }
}

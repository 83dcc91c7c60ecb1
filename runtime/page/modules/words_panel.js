/** The words: a sentence, and for each group a choice, which may be mixed with a second word. */

import { byId, make } from "./element.js";
import { UserError } from "./errors.js";
import { fill, whenTyped } from "./field.js";
import { inEnglish, say, wordName } from "./languages.js";
import { choiceOf } from "./state.js";

/** @typedef {import("./state.js").Face} Face */
/** @typedef {import("./state.js").Mix} Mix */
/** @typedef {import("./studio.js").Studio} Studio */
/** @typedef {import("./words.js").Choice} Choice */
/** @typedef {import("./words.js").Group} Group */
/** @typedef {import("./words.js").Words} Words */

/** @typedef {{word: HTMLSelectElement, second: HTMLSelectElement, percent: HTMLInputElement, part: HTMLElement, output: HTMLOutputElement}} Row */

const OPEN = "-1";

/** @param {Studio} studio @returns {() => void} what shows the state anew, in the language of now */
export function wordsPanel(studio) {
  const panel = byId("words-panel", HTMLFieldSetElement);
  const sentence = byId("sentence", HTMLInputElement);
  const error = byId("sentence-error", HTMLElement);
  const groups = byId("groups", HTMLElement);
  /** @type {Row[]} */
  let rows = [];
  let shown = "";

  whenTyped(sentence, error, (text) => {
    if (studio.words !== null) {
      studio.change(readSentence(studio.words, text));
    }
  });
  // Another model's words may be others: they can be chosen when it is there.
  const lock = () => {
    panel.disabled = studio.changesModel;
  };
  studio.addEventListener("opening", lock);

  return () => {
    const { words, state } = studio;
    panel.hidden = words === null;
    lock();
    const now = `${state.model} ${document.documentElement.lang}`;
    if (now !== shown) {
      rows = (words?.groups ?? []).map((group, place) => rowOf(studio, group, place));
      groups.replaceChildren(...rows.map(({ part }) => part));
      sentence.placeholder = words === null ? "" : sentenceOf(words, words.draw(0n, 0));
      shown = now;
    }
    fillSentence(sentence, error, words, state.choice);
    for (const [place, row] of rows.entries()) {
      showRow(row, state.choice[place], state.mixes[place]);
    }
  };
}

/**
 * Read a sentence, also one in Chinese: a face has just the words that it names, not mixed.
 *
 * @param {Words} words
 * @param {string} text
 * @returns {Pick<Face, "choice" | "mixes">}
 * @throws {UserError} as Words.parse does
 */
export function readSentence(words, text) {
  return { choice: choiceIn(words, text), mixes: words.groups.map(() => null) };
}

/** @param {Words} words @param {string} text in English or Chinese @returns {Choice} */
function choiceIn(words, text) {
  try {
    return choiceOf(words, text);
  } catch (error) {
    const english = inEnglish(text);
    if (!(error instanceof UserError) || english === text) {
      throw error;
    }
    return choiceOf(words, english);
  }
}

/**
 * Show words in a field as a sentence.
 *
 * @param {HTMLInputElement} field
 * @param {HTMLElement} error its place
 * @param {Words | null} words
 * @param {Choice} choice
 */
export function fillSentence(field, error, words, choice) {
  if (words !== null) {
    fill(field, error, sentenceOf(words, choice), words.describe(choice));
  }
}

/**
 * Words as a sentence in the language of the page, which `readSentence` reads as just these.
 *
 * @param {Words} words
 * @param {Choice} choice
 * @returns {string}
 */
function sentenceOf(words, choice) {
  const text = words.describe(choice);
  const named = words.groups.flatMap(({ name, words: list }, group) => {
    const number = choice[group];
    return number === null ? [] : [wordName(list[number]) + wordName(name)];
  });
  const chinese = named.join("");
  return inEnglish(chinese) === text ? chinese : text;
}

/** @param {Studio} studio @param {Group} group @param {number} place @returns {Row} */
function rowOf(studio, group, place) {
  const name = wordName(group.name);
  const options = group.words.map((word, number) => [wordName(word), String(number)]);
  const word = selectOf([[say("random"), OPEN], ...options]);
  word.id = `word-${place}`;
  const second = selectOf([[say("nothing"), OPEN], ...options]);
  second.id = `mix-${place}`;
  second.ariaLabel = say("mixWithOf", { group: name });
  const percent = make("input", { type: "range", min: "0", max: "100", id: `percent-${place}` });
  percent.ariaLabel = say("mixPart", { group: name });
  const output = make("output");
  const part = make(
    "div",
    { className: "group" },
    make("label", { htmlFor: word.id }, name),
    word,
    make("label", { htmlFor: second.id, className: "hint" }, say("mixWith")),
    second,
    make("div", { className: "slider mixed" }, percent, output),
  );

  word.addEventListener("change", () => {
    studio.change({ choice: withPlace(studio.wanted.choice, place, numberOf(word)) });
  });
  const mix = (/** @type {boolean} */ recorded) => {
    const number = numberOf(second);
    const mixed = number === null ? null : { word: number, percent: Number(percent.value) };
    output.textContent = say("percent", { percent: percent.value });
    studio.change({ mixes: withPlace(studio.wanted.mixes, place, mixed) }, recorded);
  };
  second.addEventListener("change", () => {
    if (studio.wanted.mixes[place] === null) {
      percent.value = "50";
    }
    mix(true);
  });
  percent.addEventListener("input", () => mix(false));
  percent.addEventListener("change", () => mix(true));
  return { word, second, percent, part, output };
}

/** @param {Row} row @param {number | null} number @param {Mix | null} mix */
function showRow({ word, second, percent, output }, number, mix) {
  word.value = String(number ?? OPEN);
  second.value = String(mix?.word ?? OPEN);
  percent.parentElement?.toggleAttribute("hidden", mix === null);
  if (mix !== null && document.activeElement !== percent) {
    percent.value = String(mix.percent);
  }
  output.textContent = say("percent", { percent: mix?.percent ?? 0 });
}

/** @param {string[][]} options their texts and values */
function selectOf(options) {
  return make(
    "select",
    {},
    ...options.map(([text, value]) => make("option", { textContent: text, value })),
  );
}

/** @param {HTMLSelectElement} select @returns {number | null} */
function numberOf(select) {
  return select.value === OPEN ? null : Number(select.value);
}

/**
 * @template T
 * @param {T[]} values
 * @param {number} place
 * @param {T} value
 */
function withPlace(values, place, value) {
  return values.map((other, at) => (at === place ? value : other));
}

/** The language of the page: English, or traditional Chinese, and what both call things. */

import { CHINESE, ERRORS, FACTS, SENTENCES, WORDS } from "./sentences.js";

/** @typedef {"en" | "zh-Hant"} Language */

/** @type {Language} */
let language = "en";

/**
 * The language that a browser asks for: Chinese of any kind, else English.
 *
 * @param {readonly string[]} wanted its languages, the most wanted first
 * @returns {Language}
 */
export function languageOf(wanted) {
  const first = wanted.find((tag) => /^(zh|en)\b/i.test(tag)) ?? "en";
  return /^zh/i.test(first) ? "zh-Hant" : "en";
}

/**
 * Change the language, and all that stands in the page with a sentence's name.
 *
 * @param {Language} chosen
 */
export function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  for (const [attribute, change] of ATTRIBUTES) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      change(element, say(element.getAttribute(attribute) ?? ""));
    }
  }
}

/** @type {[string, (element: Element, text: string) => void][]} */
const ATTRIBUTES = [
  ["data-text", (element, text) => element.replaceChildren(text)],
  ["data-label", (element, text) => element.setAttribute("aria-label", text)],
  ["data-placeholder", (element, text) => element.setAttribute("placeholder", text)],
];

/**
 * @param {string} name of a sentence
 * @param {Record<string, string | number | bigint>} [values]
 * @returns {string}
 */
export function say(name, values = {}) {
  const [english, chinese] = SENTENCES[name];
  const sentence = language === "en" ? english : chinese;
  return sentence.replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

/**
 * A word of a model, or the name of a group; of others' models as it is.
 *
 * @param {string} word
 * @returns {string}
 */
export function wordName(word) {
  return language === "en" ? word : (WORDS[word] ?? word);
}

/**
 * The sentence of an error, with the full stop that it has none of itself.
 *
 * @param {string} message as a UserError has it
 * @returns {string}
 */
export function errorSentence(message) {
  const known = ERRORS.find(([pattern]) => pattern.test(message));
  if (language === "en" || known === undefined) {
    return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  }
  const parts = message.replace(...known).split(/('[^']*'|"[^"]*")/);
  return `${parts.map((part, place) => (place % 2 === 0 ? listed(part) : part)).join("")}。`;
}

/** @param {string} text with lists of words in English @returns {string} with them in Chinese */
function listed(text) {
  return text
    .replace(/\bfor (\S+) one of /g, "$1：")
    .replace(/\bone of /g, "")
    .replaceAll(" or ", " 或 ")
    .replaceAll(", ", "、")
    .replaceAll("; ", "；")
    .replace(/[a-z]+/g, wordName)
    .replace(/(?<=\p{Script=Han}) (?=\p{Script=Han})/gu, "");
}

/**
 * A sentence that may be Chinese, "藍髮紅眼", as the English that models read.
 *
 * @param {string} text
 * @returns {string}
 */
export function inEnglish(text) {
  if (!/\p{Script=Han}/u.test(text)) {
    return text;
  }
  const spelled = CHINESE.reduce(
    (english, [chinese, word]) => english.replaceAll(chinese, ` ${word} `),
    text,
  );
  return spelled.replace(/\s+/g, " ").trim();
}

/**
 * What a model's file says of itself; what is not known stays as it is.
 *
 * @param {string} text
 * @returns {string}
 */
export function factName(text) {
  if (language === "en") {
    return text;
  }
  const known = FACTS.find(([pattern]) => text.search(pattern) >= 0);
  const translated = known === undefined ? text : text.replace(...known);
  return translated
    .replace(/[a-z]+/g, wordName)
    .replaceAll(", ", "、")
    .replaceAll(": ", "：");
}

/** The start of the page: it puts the controls together. */

import { aboutPanel } from "./about_panel.js";
import { byId, radios, setText } from "./element.js";
import { AddressError, UserError } from "./errors.js";
import { sayErrorsAgain } from "./field.js";
import { historyPanel } from "./history_panel.js";
import { errorSentence, languageOf, say, speak } from "./languages.js";
import { BROWSERS } from "./model.js";
import { modelPanel } from "./model_panel.js";
import { nearPanel } from "./near_panel.js";
import { noisePanel } from "./noise_panel.js";
import { models } from "./parts.js";
import { savePanel } from "./save_panel.js";
import { sharePanel } from "./share_panel.js";
import { stage } from "./stage.js";
import { Studio } from "./studio.js";
import { walkPanel } from "./walk_panel.js";
import { wordsPanel } from "./words_panel.js";

const NEEDED = ["WebAssembly", "DecompressionStream", "CompressionStream"];

/** Why there is nothing, or nothing new, to see; null where there is. @type {unknown} */
let reason = null;

/** What shows the parts of the page anew; none until the first picture. @type {(() => void)[]} */
let panels = [];

/** Show all anew. */
function show() {
  sayReason();
  for (const showPanel of panels) {
    try {
      showPanel();
    } catch (error) {
      reportError(error); // it is said, as below, and the other panels go on
    }
  }
}

/** Say above the controls why there is nothing new, and until the first picture in their place. */
function sayReason() {
  const sentence = sentenceOf(reason);
  setText(byId("trouble", HTMLElement), sentence);
  setText(byId("failure", HTMLElement), sentence);
  byId("failure", HTMLElement).hidden = reason === null;
  byId("notice", HTMLElement).classList.toggle("failed", reason !== null);
}

async function start() {
  const lacking = NEEDED.find((name) => !(name in globalThis));
  if (lacking !== undefined) {
    throw new UserError(`this browser has no ${lacking}, expected ${BROWSERS}`);
  }
  const facts = models();
  const studio = new Studio(facts);
  const made = [
    modelPanel(studio, facts),
    wordsPanel(studio),
    noisePanel(studio),
    stage(studio),
    walkPanel(studio),
    nearPanel(studio),
    savePanel(studio),
    sharePanel(studio),
    historyPanel(studio),
    aboutPanel(studio),
  ];
  reason = studio.reason; // of the address
  studio.addEventListener("drawn", () => {
    if (panels.length > 0) {
      reason = null; // what was wrong at the start stays until the next picture
    }
    panels = made;
    byId("notice", HTMLElement).hidden = true;
    byId("app", HTMLElement).hidden = false; // before all else: what is hidden has no size
    unsay();
    show();
  });
  studio.addEventListener("trouble", () => {
    reason = studio.reason;
    show();
  });
  await studio.change({});
}

/** @param {unknown} error @returns {string} a sentence; empty where there is no error */
function sentenceOf(error) {
  if (error === null) {
    return "";
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/memory|allocat/i.test(message) || error instanceof RangeError) {
    return say("noMemory");
  }
  if (error instanceof AddressError) {
    return say("wrongAddress", { why: errorSentence(message) });
  }
  return error instanceof UserError ? errorSentence(message) : say("fault", { message });
}

/** Take back what was said of a picture before. */
function unsay() {
  for (const said of document.querySelectorAll(".said")) {
    said.textContent = "";
  }
}

/** @param {unknown} error */
function fail(error) {
  reason = error;
  sayReason();
}

const language = byId("language", HTMLSelectElement);
language.value = languageOf(navigator.languages);
const speakChosen = () => speak(language.value === "en" ? "en" : "zh-Hant");
speakChosen();
language.addEventListener("change", () => {
  speakChosen();
  sayErrorsAgain();
  unsay();
  show();
});
for (const radio of radios("look")) {
  radio.addEventListener("change", () => show());
}
const frame = byId("frame", HTMLElement);
let resizing = 0;
let size = 0; // of the frame on the screen; a phone's bars come and go without changing it
window.addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => {
    const before = size;
    size = frame.clientHeight * devicePixelRatio;
    if (size !== before) {
      show();
    }
  });
});
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
window.addEventListener("error", (event) => fail(event.error ?? event.message));
start().catch(fail);

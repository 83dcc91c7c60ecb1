/** The start of the page: it puts the controls together. */

import { aboutPanel } from "./about_panel.js";
import { byId, radios } from "./element.js";
import { UserError } from "./errors.js";
import { sayErrorsAgain } from "./field.js";
import { historyPanel } from "./history_panel.js";
import { currentLanguage, errorSentence, languageOf, say, speak } from "./languages.js";
import { modelPanel } from "./model_panel.js";
import { nearPanel } from "./near_panel.js";
import { noisePanel } from "./noise_panel.js";
import { models } from "./parts.js";
import { savePanel } from "./save_panel.js";
import { fromAddress, sharePanel } from "./share_panel.js";
import { stage } from "./stage.js";
import { Studio } from "./studio.js";
import { walkPanel } from "./walk_panel.js";
import { wordsPanel } from "./words_panel.js";

async function start() {
  for (const lacking of ["WebAssembly", "DecompressionStream", "CompressionStream"]) {
    if (!(lacking in globalThis)) {
      fail(say("tooOld", { lacking }));
      return;
    }
  }
  const facts = models();
  const studio = new Studio(facts);
  const trouble = byId("trouble", HTMLElement);
  const app = byId("app", HTMLElement);
  const language = byId("language", HTMLSelectElement);

  const showAll = [
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
  const show = () => {
    app.hidden = false; // first, since what is hidden has no size
    byId("notice", HTMLElement).hidden = true;
    for (const showOne of showAll) {
      showOne();
    }
  };
  studio.addEventListener("drawn", () => {
    trouble.textContent = "";
    show();
  });
  studio.addEventListener("trouble", () => {
    if (studio.numbers === null) {
      fail(sentenceOf(studio.reason));
      return;
    }
    show();
    trouble.textContent = sentenceOf(studio.reason);
  });
  language.addEventListener("change", () => {
    speak(language.value === "en" ? "en" : "zh-Hant");
    sayErrorsAgain();
    show();
  });
  for (const radio of radios("look")) {
    radio.addEventListener("change", show);
  }
  let resizing = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(show);
  });

  const { changes, message } = fromAddress(studio);
  await studio.change(changes);
  if (message !== null) {
    trouble.textContent = errorSentence(message);
  }
}

/**
 * Say in place of a blank page why there is nothing.
 *
 * @param {string} sentence
 */
function fail(sentence) {
  const failure = byId("failure", HTMLElement);
  failure.textContent = sentence;
  failure.hidden = false;
  byId("opening", HTMLElement).hidden = true;
}

/** @param {unknown} reason */
function sentenceOf(reason) {
  const message = reason instanceof Error ? reason.message : String(reason);
  if (/memory|allocat/i.test(message) || reason instanceof RangeError) {
    return say("noMemory");
  }
  return reason instanceof UserError ? errorSentence(message) : say("fault", { message });
}

speak(languageOf(navigator.languages));
byId("language", HTMLSelectElement).value = currentLanguage();
window.addEventListener("unhandledrejection", ({ reason }) => {
  byId("trouble", HTMLElement).textContent = sentenceOf(reason);
});
start().catch((reason) => fail(sentenceOf(reason)));

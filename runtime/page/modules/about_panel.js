/** What the page is, where its models come from, and the licences of its parts. */

import { byId, make } from "./element.js";
import { save } from "./files.js";
import { factName, say } from "./languages.js";
import { megabytes } from "./model_panel.js";
import { bytesOf, licences } from "./parts.js";

/** @param {import("./studio.js").Studio} studio @returns {() => void} what shows the state anew */
export function aboutPanel(studio) {
  const about = byId("about", HTMLDetailsElement);
  const text = byId("about-text", HTMLElement);
  const button = byId("save-model", HTMLButtonElement);
  /** @type {import("./parts.js").Licence[]} */
  let texts = [];
  let shown = "";

  button.addEventListener("click", async () => {
    const { id, file } = studio.facts;
    save(file, "application/octet-stream", await bytesOf(id));
  });
  const render = () => {
    const { facts } = studio;
    const now = `${facts.id} ${document.documentElement.lang} ${texts.length}`;
    if (now === shown) {
      return; // so that a licence that is being read stays open
    }
    shown = now;
    const size = megabytes(facts.bytes);
    button.textContent = say("saveModel", { file: facts.file, size });
    text.replaceChildren(
      make("p", {}, say("aboutPage")),
      make("h3", {}, say("aboutModel", { model: facts.title })),
      make("dl", {}, ...facts.facts.flatMap(factOf)),
      make("p", {}, say(facts.exact ? "aboutExact" : "aboutInexact")),
      make("h3", {}, say("aboutLicences")),
      ...texts.map(licenceOf),
    );
  };
  about.addEventListener("toggle", async () => {
    if (about.open && texts.length === 0) {
      texts = await licences();
      render();
    }
  });
  return render;
}

/** @param {{name: string, value: string}} fact */
function factOf({ name, value }) {
  return [make("dt", {}, factName(name)), make("dd", {}, factName(value))];
}

/** @param {import("./parts.js").Licence} licence */
function licenceOf({ part, name, text }) {
  return make(
    "details",
    { className: "licence" },
    make("summary", {}, say("licence", { part: factName(part), name: factName(name) })),
    make("pre", { tabIndex: 0 }, text),
  );
}

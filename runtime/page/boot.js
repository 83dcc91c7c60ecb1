// The first script of a built page: it makes modules of the texts that stand in it, and starts the
// last. A module cannot be imported from file://, but from the URL of a Blob it can.
(() => {
  // As builders of the page find them too: at the beginning of a line.
  const IMPORT = /^((?:import|export)\s(?:[\w*{}\s,$]+\sfrom\s)?)"(\.\/[\w.-]+)"/gm;

  /** @type {Map<string, string>} */
  const urls = new Map();

  /**
   * Say in place of a blank page why there is nothing.
   * @param {unknown} reason
   */
  const fail = (reason) => {
    const place = document.getElementById("failure");
    if (place) {
      place.textContent = reason instanceof Error ? reason.message : String(reason);
      place.hidden = false;
    }
  };

  const start = async () => {
    /** @type {NodeListOf<HTMLScriptElement>} */
    const modules = document.querySelectorAll('script[type="text/plain"][id^="./"]');
    for (const { id, text } of modules) {
      const linked = text.replace(IMPORT, (_, before, name) => `${before}"${urls.get(name)}"`);
      const source = `${linked}\n//# sourceURL=edgegan/${id.slice(2)}\n`;
      urls.set(id, URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    }
    // So that the console, and tests, can use them: await edgegan("./model.js")
    Object.assign(globalThis, {
      edgegan: (/** @type {string} */ name) => import(/** @type {string} */ (urls.get(name))),
    });
    await import(/** @type {string} */ (urls.get("./page.js")));
  };

  start().catch(fail);
})();

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  errorSentence,
  factName,
  inEnglish,
  languageOf,
  speak,
} from "../../../runtime/page/modules/languages.js";
import { ERRORS, SENTENCES, WORDS } from "../../../runtime/page/modules/sentences.js";

const SOURCE = new URL("../../../runtime/page/", import.meta.url);
const sources = readdirSync(new URL("modules/", SOURCE))
  .filter((name) => name !== "sentences.js")
  .map((name) => readFileSync(new URL(`modules/${name}`, SOURCE), "utf8"));
const html = readFileSync(new URL("page.html", SOURCE), "utf8");

test("a browser's language is found, and English is the default", () => {
  for (const [wanted, language] of [
    [["zh-TW", "en"], "zh-Hant"],
    [["zh"], "zh-Hant"],
    [["de", "zh-HK"], "zh-Hant"],
    [["en-GB", "zh-TW"], "en"],
    [["fr"], "en"],
    [[], "en"],
  ]) {
    assert.equal(languageOf(wanted), language);
  }
});

test("every sentence has the same values in both languages, and is used", () => {
  const all = [html, ...sources].join("\n");
  for (const [name, [english, chinese]] of Object.entries(SENTENCES)) {
    const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, key]) => key).sort();
    assert.deepEqual(values(english), values(chinese), name);
    assert.match(all, new RegExp(`"${name}"`), `${name} is not used`);
  }
});

test("every sentence that is asked for is there", () => {
  const used = [
    ...html.matchAll(/data-(?:text|label|placeholder)="(\w+)"/g),
    ...sources.join("\n").matchAll(/\bsay\(\s*"(\w+)"/g),
  ];
  for (const [, name] of used) {
    assert.ok(name in SENTENCES, name);
  }
});

test("every error that a module can throw is known in Chinese", () => {
  const thrown = sources
    .flatMap((source) => [...source.matchAll(/new UserError\(\s*(["`])([\s\S]+?)\1,?\s*\)/g)])
    .map(([, , sentence]) => sentence.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "1"));
  assert.ok(thrown.length > 20);
  const unlike = thrown.filter((sentence) => !sentence.startsWith("1 is no word of")); // put together
  const like = [
    "'geren' is no word of eyes: did you mean green? Expected one of blue, green",
    "'x' is no word of hair or eyes, expected for hair one of blue; for eyes one of red",
  ];
  for (const sentence of [...unlike, ...like]) {
    assert.ok(
      ERRORS.some(([pattern]) => pattern.test(sentence)),
      sentence,
    );
  }
});

test("an error is a Chinese sentence, but for what somebody wrote", () => {
  globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
  speak("zh-Hant");
  for (const [english, chinese] of [
    [
      "'blue or, x' is no word of eyes: did you mean blue or red? Expected one of blue, red, green",
      "'blue or, x' 不是眼睛的詞語：是否指藍色或紅色？可用的有藍色、紅色、綠色。",
    ],
    [
      "'x' is no word of hair or eyes, expected for hair one of blue, red; for eyes one of red",
      "'x' 不是頭髮或眼睛的詞語，可用的有頭髮：藍色、紅色；眼睛：紅色。",
    ],
    ["seed is '-1', expected a whole number from 0 to 9", "種子是 '-1'，應為 0 到 9 的整數。"],
  ]) {
    assert.equal(errorSentence(english), chinese);
  }
  speak("en");
});

test("lists of facts have Chinese signs", () => {
  globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
  speak("zh-Hant");
  assert.equal(factName("words of hair"), "頭髮的詞語");
  assert.equal(factName("2: blue, red"), "2：藍色、紅色");
  assert.equal(factName("7,545 in float32, 7 in uint8"), "7,545 個 float32、7 個 uint8");
  assert.equal(factName("119 of 120, of 15,338 pictures"), "120 種中有 119 種，共 15,338 張圖片");
  speak("en");
});

test("Chinese sentences are read as the words of models", () => {
  for (const [chinese, english] of [
    ["藍髮紅眼", "blue hair red eyes"],
    ["藍色的頭髮和紅色的眼睛", "blue hair red eyes"],
    ["水藍色頭髮、粉紅色眼睛", "aqua hair pink eyes"],
    ["金髮", "blonde hair"],
    ["紅髮與綠眼", "red hair green eyes"],
    ["黑髮 紫瞳", "black hair purple eyes"],
    ["blue hair", "blue hair"],
    ["蓝发红眼", "blue hair red eyes"],
    ["水蓝色头发、粉红色双眼", "aqua hair pink eyes"],
    ["黄发色和绿瞳色", "yellow hair green eyes"],
    ["茶髮", "brown hair"],
    ["金髮碧眼", "blonde hair blue eyes"],
    ["银发", "gray hair"],
  ]) {
    assert.equal(inEnglish(chinese), english);
  }
});

test("what the page calls words in Chinese is read as these words", () => {
  for (const [english, chinese] of Object.entries(WORDS)) {
    assert.equal(inEnglish(chinese), english);
  }
});

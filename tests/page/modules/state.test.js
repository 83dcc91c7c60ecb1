import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, latentOf, numbersOf } from "../../../runtime/page/modules/drawing.js";
import { UserError } from "../../../runtime/page/modules/errors.js";
import { drawLatents } from "../../../runtime/page/modules/latents.js";
import {
  anotherFace,
  choiceOf,
  faceOf,
  initial,
  moved,
  read,
  write,
} from "../../../runtime/page/modules/state.js";
import { Words } from "../../../runtime/page/modules/words.js";

const words = new Words(
  [
    { name: "hair", words: ["blue", "red", "light blue"] },
    { name: "eyes", words: ["red", "green", "a=b & c#"] },
  ],
  [
    [0, 0, 5],
    [1, 1, 7],
    [2, 2, 1],
  ],
);
const plain = { id: "plain", words: null, latentSize: 8 };
const wordy = { id: "wordy", words, latentSize: 4 };
const models = [plain, wordy];
const facts = { latentSize: 4, distribution: "normal" };

const full = {
  ...initial(wordy),
  seed: 2n ** 63n - 1n,
  face: 123456789012345n,
  wordSeed: 17n,
  noise: Float32Array.of(1, -0.1, 3e-9, 4),
  steps: [
    { number: 3, degrees: 20 },
    { number: 24, degrees: 60 },
  ],
  choice: [2, 2],
  mixes: [null, { word: 0, percent: 35 }],
};

test("a state comes back from its text, with all that is in it", () => {
  const to = { ...faceOf(full), seed: 8n, noise: null, choice: [null, 1], mixes: [null, null] };
  for (const state of [
    initial(plain),
    initial(wordy),
    full,
    { ...full, view: "grid" },
    { ...full, view: "near", degrees: 45 },
    { ...full, view: "walk", to, frames: 99 },
    { ...initial(plain), view: "walk", to: anotherFace(initial(plain)) },
  ]) {
    const known = state.model === "plain" ? null : words;
    const text = write(state, known);
    assert.deepEqual(read(text, models), state, text);
    assert.deepEqual(read(`file:///page.html#${text}`, models), state);
    assert.deepEqual(read(`  #${text}\n`, models), state);
  }
});

test("the text is what people write themselves", () => {
  const state = { ...initial(wordy), seed: 7n, choice: [0, 1] };
  assert.equal(write(state, words), "model=wordy&text=blue+hair+green+eyes&seed=7");
  assert.deepEqual(read("model=wordy&text=eyes%3Dgreen,hair%3Dblue&seed=7", models), state);
  assert.deepEqual(read("", models), initial(plain));
  assert.deepEqual(read("text=&mix=", models), initial(plain));
});

test("every text of words means just these", () => {
  for (const hair of [null, 0, 1, 2]) {
    for (const eyes of [null, 0, 1, 2]) {
      assert.deepEqual(choiceOf(words, words.describe([hair, eyes])), [hair, eyes]);
    }
  }
});

test("what is wrong in a text is said in one sentence", () => {
  for (const [text, sentence] of [
    ["model=nobody", /model is 'nobody', expected one of plain, wordy/],
    ["colour=red", /the state has 'colour'/],
    ["seed=5&seed=6", /the state has 'seed' twice, expected it once/],
    ["to=seed%3D5%26seed%3D5", /the state has 'seed' twice within to, expected it once/],
    ["seed=-1", /seed is '-1'/],
    ["seed=9223372036854775808", /seed is/],
    ["face=x", /face is 'x'/],
    ["view=all", /view is 'all'/],
    ["near=25-20", /near is '25-20'/],
    ["near=1-99", /near is/],
    ["near=,", /near is/],
    ["noise=hello", /no noise/],
    ["frames=1", /frames is '1', expected a whole number from 2 to 120/],
    ["degrees=0", /degrees is '0'/],
    ["text=blue+hair", /plain takes none/],
    ["model=wordy&text=purple+hair", /'purple' is no word of hair/],
    ["model=wordy&mix=red+hair", /percent is ''/],
    ["model=wordy&mix=red+hair&percent=101", /percent is '101'/],
    ["model=wordy&to=seed%3Dx", /seed is 'x'/],
    ["model=wordy&to=view%3Dgrid", /the state has 'view' within to, expected text, mix/],
    ["noise=1.AACAPw.edb88320", /check sum/],
  ]) {
    assert.throws(() => read(text, models), UserError, text);
    assert.throws(() => read(text, models), sentence);
  }
  const noise = new URLSearchParams(write(full, words)).get("noise");
  assert.throws(() => read(`model=plain&noise=${noise}`, models), /of another model/);
});

test("another model takes over the words and the noise that it has too", () => {
  const other = new Words(
    [
      { name: "eyes", words: ["green", "red"] },
      { name: "hair", words: ["white", "red"] },
    ],
    [[0, 0, 1]],
  );
  const target = { id: "other", words: other, latentSize: 4 };
  const state = { ...full, choice: [1, 0], mixes: [null, { word: 1, percent: 20 }] };
  const there = moved(state, wordy, target);
  assert.deepEqual(there.choice, [1, 1]);
  assert.deepEqual(there.mixes, [{ word: 0, percent: 20 }, null]);
  assert.equal(there.noise, state.noise);
  const without = moved(state, wordy, plain);
  assert.deepEqual([without.choice, without.noise, without.steps], [[], null, []]);
});

test("a face is that of its seed and number, and a grid goes on from there", () => {
  const state = { ...initial(wordy), seed: 9n, face: 5n };
  assert.deepEqual(latentOf(facts, state), drawLatents(9n, 1, 4, "normal", 5n));
  const { latents, conditions, count } = numbersOf(facts, words, { ...state, view: "grid" });
  assert.equal(count, 25);
  assert.deepEqual(latents, drawLatents(9n, 25, 4, "normal", 5n));
  for (let place = 0; place < 25; place++) {
    const expected = words.filled(9n, 5n + BigInt(place), new Float32Array(6));
    assert.deepEqual(conditions.slice(6 * place, 6 * place + 6), expected);
  }
});

test("a grid has the seed's noise, and ends at the last face at most", () => {
  const grid = { ...full, view: "grid" };
  assert.deepEqual(
    numbersOf(facts, words, grid).latents,
    drawLatents(full.seed, 25, 4, "normal", full.face),
  );
  const atEnd = { ...grid, face: 2n ** 63n - 1n };
  assert.equal(faceOf(atEnd).face + 24n, 2n ** 63n - 1n);
  assert.deepEqual(
    numbersOf(facts, words, atEnd).latents,
    drawLatents(full.seed, 25, 4, "normal", 2n ** 63n - 25n),
  );
});

test("words left open are drawn by their own seed where there is one", () => {
  const state = { ...initial(wordy), seed: 9n, choice: [1, null] };
  const given = words.oneHot([1, -1]);
  assert.deepEqual(conditionOf(words, state), words.filled(9n, 0n, given));
  assert.deepEqual(conditionOf(words, { ...state, wordSeed: 4n }), words.filled(4n, 0n, given));
});

test("a mixture has its parts of both words", () => {
  const state = { ...initial(wordy), choice: [0, 1], mixes: [{ word: 2, percent: 25 }, null] };
  assert.deepEqual([...conditionOf(words, state)], [0.75, 0, 0.25, 0, 1, 0]);
});

test("neighbours stand around their face and have its words", () => {
  const state = { ...full, view: "near" };
  const { latents, conditions } = numbersOf(facts, words, state);
  assert.deepEqual(latents.slice(48, 52), latentOf(facts, state));
  assert.deepEqual(conditions.slice(0, 6), conditions.slice(72, 78));
  const next = { ...state, steps: [...state.steps, { number: 13, degrees: state.degrees }] };
  assert.deepEqual(latents.slice(52, 56), latentOf(facts, next));
});

test("a walk begins and ends at its faces, bit for bit", () => {
  const to = { ...faceOf(initial(wordy)), seed: 2n, choice: [1, 1] };
  const state = { ...full, view: "walk", to, frames: 7 };
  const { latents, conditions, count } = numbersOf(facts, words, state);
  assert.equal(count, 7);
  assert.deepEqual(latents.slice(0, 4), latentOf(facts, state));
  assert.deepEqual(latents.slice(24), latentOf(facts, to));
  assert.deepEqual(conditions.slice(0, 6), conditionOf(words, state));
  assert.deepEqual(conditions.slice(36), conditionOf(words, to));
});

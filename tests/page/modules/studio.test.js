import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../../../runtime/page/modules/model.js";
import { Studio } from "../../../runtime/page/modules/studio.js";

const SIZE = 2;
const facts = (id) => ({
  id,
  title: id,
  latentSize: 4,
  distribution: "normal",
  imageSize: SIZE,
  words: null,
});

/** A studio whose models draw grey in an instant; the one of the name "broken" cannot be opened. */
function studio() {
  Model.open = async ({ id }) => {
    if (id === "broken") {
      throw new Error("it is broken");
    }
    return { images: async (latents) => new Uint8ClampedArray(3 * SIZE * SIZE * latents.length) };
  };
  return new Studio(["first", "second", "broken"].map(facts));
}

test("of states asked for while another is drawn the last is shown, made of all of them", async () => {
  const made = studio();
  await made.change({});
  const shown = [];
  made.addEventListener("drawn", () => shown.push(made.state.face));
  for (let time = 0; time < 5; time++) {
    made.change({ face: made.wanted.face + 1n });
  }
  await made.change({ view: "grid" });
  assert.deepEqual([made.state.face, made.state.view, made.pictures.length], [5n, "grid", 25]);
  assert.equal(shown.at(-1), 5n);
});

test("what cannot be drawn leaves what is shown", async () => {
  const made = studio();
  await made.change({ seed: 7n });
  let troubles = 0;
  made.addEventListener("trouble", () => troubles++);
  await made.change({ model: "broken" });
  assert.equal(made.reason.message, "it is broken");
  assert.deepEqual([made.state.model, made.wanted, troubles], ["first", made.state, 1]);
  await made.change({ seed: 8n });
  assert.deepEqual([made.state.model, made.state.seed], ["first", 8n]);
});

test("where the first model cannot draw another one does, and that is told", async () => {
  const made = studio();
  const told = [];
  for (const name of ["opening", "trouble", "drawn"]) {
    made.addEventListener(name, () => told.push(name));
  }
  await made.change({ model: "broken", seed: 7n });
  assert.deepEqual([made.state.model, made.state.seed], ["first", 7n]);
  assert.equal(made.reason.message, "it is broken");
  assert.deepEqual(told, ["opening", "trouble", "drawn"]);
});

test("where no model can draw it is told", async () => {
  Model.open = async () => {
    throw new Error("no memory");
  };
  const made = new Studio(["first", "second"].map(facts));
  await made.change({});
  assert.deepEqual([made.reason.message, made.numbers], ["no memory", null]);
});

test("what is asked for while another fails is drawn all the same", async () => {
  const made = studio();
  await made.change({});
  const failing = made.change({ model: "broken" });
  await null;
  await null;
  assert.equal(made.changesModel, true);
  made.change({ model: "second", seed: 3n });
  await failing;
  assert.deepEqual([made.state.model, made.state.seed, made.reason], ["second", 3n, null]);
});

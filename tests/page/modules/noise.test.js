import assert from "node:assert/strict";
import { test } from "node:test";
import { UserError } from "../../../runtime/page/modules/errors.js";
import { drawLatents } from "../../../runtime/page/modules/latents.js";
import {
  noiseFromPicture,
  noiseFromText,
  noiseToPicture,
  noiseToText,
} from "../../../runtime/page/modules/noise.js";
import { decodePng, encodePng } from "../../../runtime/page/modules/png.js";

const noises = [1, 2, 63, 64, 100, 128].map((size) => drawLatents(5n, 1, size, "normal"));

test("noise comes back from its text, bit for bit", () => {
  for (const noise of [...noises, Float32Array.of(-0, 1e-45, 3.4e38)]) {
    assert.deepEqual(noiseFromText(noiseToText(noise)), noise);
  }
});

test("the longest noise of a model goes out and comes back", async () => {
  const noise = drawLatents(5n, 1, 65_536, "normal");
  assert.deepEqual(noiseFromText(noiseToText(noise)), noise);
  const file = await encodePng(noiseToPicture(noise));
  assert.deepEqual(noiseFromPicture(await decodePng(file)), noise);
});

test("the text is the numbers' bytes in base64url", () => {
  const [count, letters, sum] = noiseToText(Float32Array.of(1, -2)).split(".");
  assert.deepEqual(
    [count, [...Buffer.from(letters, "base64url")]],
    ["2", [0, 0, 128, 63, 0, 0, 0, 192]],
  );
  assert.match(sum, /^[0-9a-f]{8}$/);
});

test("lines and spaces in a text make no difference", () => {
  const text = noiseToText(noises[5]);
  const broken = `  ${text.replace(/.{60}/g, "$&\r\n")}\n`;
  assert.deepEqual(noiseFromText(broken), noises[5]);
});

test("a text with another letter is refused", () => {
  const text = noiseToText(noises[2]);
  for (let place = 0; place < text.length; place++) {
    const letter = text[place] === "A" ? "B" : "A";
    const changed = text.slice(0, place) + letter + text.slice(place + 1);
    try {
      // The last letter of base64 has bits that mean nothing.
      assert.deepEqual(noiseFromText(changed), noises[2]);
    } catch (error) {
      assert.ok(error instanceof UserError, `letter ${place}`);
    }
  }
});

test("what is no noise, or no number, is refused", () => {
  for (const text of ["", "hello", "1.AAAA.00000000", "1..00000000", "a.b.c"]) {
    assert.throws(() => noiseFromText(text), UserError);
  }
  assert.throws(() => noiseFromText(noiseToText(Float32Array.of(Number.NaN))), /not finite/);
});

test("noise comes back from its picture, bit for bit", () => {
  for (const noise of noises) {
    assert.deepEqual(noiseFromPicture(noiseToPicture(noise)), noise);
  }
});

test("a picture that was changed, or is another, is refused", () => {
  const picture = noiseToPicture(noises[3]);
  const changed = picture.rgb.slice();
  for (let place = 0; place < 3 * 8; place++) {
    changed[3 * 8 * (128 + 3) + place] ^= 255; // a row of one cell
  }
  for (let row = 0; row < 8; row++) {
    changed[3 * ((8 + row) * 128)] ^= 1; // a whole cell's red
  }
  assert.throws(() => noiseFromPicture({ ...picture, rgb: changed }), /check sum/);
  const black = { width: 128, height: 128, rgb: new Uint8Array(3 * 128 * 128) };
  assert.throws(() => noiseFromPicture(black), /is no noise/);
  assert.throws(() => noiseFromPicture({ width: 1, height: 1, rgb: black.rgb }), /is no noise/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../../runtime/page/modules/crc32.js";
import { UserError } from "../../../runtime/page/modules/errors.js";
import { decodePng, encodeAnimation, encodePng } from "../../../runtime/page/modules/png.js";

const picture = (width, height, seed = 1) => ({
  width,
  height,
  rgb: Uint8Array.from({ length: 3 * width * height }, (_, place) => (place * 37 * seed) % 251),
});

test("the check sum is that of the standard's example", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assert.equal(crc32(new Uint8Array()), 0);
});

test("a picture comes back as it was", async () => {
  for (const [width, height] of [
    [1, 1],
    [3, 7],
    [64, 64],
  ]) {
    const given = picture(width, height);
    assert.deepEqual(await decodePng(await encodePng(given)), given);
  }
});

test("the first picture of an animation is what is seen where nothing moves", async () => {
  const frames = [picture(8, 8, 1), picture(8, 8, 2)];
  assert.deepEqual(await decodePng(await encodeAnimation(frames, 20)), frames[0]);
});

test("of an animation a picture that comes again is compressed once", async () => {
  const [first, second] = [picture(8, 8, 1), picture(8, 8, 2)];
  const whole = CompressionStream;
  let times = 0;
  globalThis.CompressionStream = class extends whole {
    constructor(format) {
      super(format);
      times++;
    }
  };
  const again = await encodeAnimation([first, second, first, second], 20);
  const alone = await encodeAnimation([first, second, { ...first }, { ...second }], 20);
  globalThis.CompressionStream = whole;
  assert.equal(times, 2 + 4);
  assert.deepEqual(again, alone);
});

test("every byte that is changed is found", async () => {
  const file = await encodePng(picture(4, 4));
  for (let place = 0; place < file.length; place++) {
    const changed = file.slice();
    changed[place] ^= 1;
    await assert.rejects(decodePng(changed), UserError, `byte ${place}`);
  }
});

test("a file that is cut off is found", async () => {
  const file = await encodePng(picture(4, 4));
  for (let length = 0; length < file.length - 12; length++) {
    await assert.rejects(decodePng(file.slice(0, length)), UserError, `${length} bytes`);
  }
});

test("a file that is none is said to be none", async () => {
  await assert.rejects(decodePng(new TextEncoder().encode("GIF89a")), /holds no noise/);
});

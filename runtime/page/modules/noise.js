/**
 * The noise that a face is drawn from, as text and as a picture, each with a check sum.
 *
 * Both hold the float32 numbers exactly. The text is COUNT.NUMBERS.SUM: the numbers' bytes, least
 * significant first, in base64url, and their CRC-32 in eight hexadecimal digits. The picture holds
 * MARK, the count, the numbers and the CRC-32 of all these as the red, green and blue of square
 * cells, in reading order.
 */

import { crc32 } from "./crc32.js";
import { UserError } from "./errors.js";

/** @typedef {import("./png.js").Picture} Picture */

const MARK = [0x45, 0x47, 0x4e, 0x31]; // EGN1
const CELLS = 16; // in a row
const CELL = 8; // pixels, so that a person sees them
const MOST = 2 ** 16; // numbers

/**
 * @param {Float32Array} noise
 * @returns {string}
 */
export function noiseToText(noise) {
  const bytes = bytesOf(noise);
  const letters = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const url = letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return `${noise.length}.${url}.${hexadecimal(crc32(bytes))}`;
}

/**
 * Read what noiseToText wrote; white space in it makes no difference.
 *
 * @param {string} text
 * @param {number} [size] how many numbers the model takes: of the example in the sentence
 * @returns {Float32Array}
 * @throws {UserError} it is none, or was changed
 */
export function noiseFromText(text, size = 128) {
  const found = /^(\d{1,5})\.([\w-]+)\.([0-9a-fA-F]{8})$/.exec(text.replace(/\s+/g, ""));
  const bytes = found && fromBase64(found[2]);
  if (found === null || bytes === null) {
    throw new UserError(`the text is no noise, expected what this page wrote: ${size}.….1a2b3c4d`);
  }
  const [, count, , sum] = found;
  if (bytes.length !== 4 * Number(count)) {
    throw new UserError(
      `the noise has ${Math.floor(bytes.length / 4)} numbers, expected ${count}: a part is missing`,
    );
  }
  checkSum(bytes, Number.parseInt(sum, 16));
  return numbersOf(bytes);
}

/**
 * @param {Float32Array} noise
 * @returns {Picture}
 */
export function noiseToPicture(noise) {
  const held = new Uint8Array(12 + 4 * noise.length);
  const view = new DataView(held.buffer);
  held.set(MARK);
  view.setUint32(4, noise.length, true);
  held.set(bytesOf(noise), 8);
  view.setUint32(held.length - 4, crc32(held.subarray(0, -4)), true);

  const rows = Math.ceil(held.length / 3 / CELLS);
  const [width, height] = [CELLS * CELL, rows * CELL];
  const rgb = new Uint8Array(3 * width * height);
  for (let place = 0; place < width * height; place++) {
    const cell = cellOf(place % width, Math.floor(place / width));
    rgb.set(held.subarray(3 * cell, 3 * cell + 3), 3 * place);
  }
  return { width, height, rgb };
}

/**
 * Read what noiseToPicture drew.
 *
 * @param {Picture} picture
 * @returns {Float32Array}
 * @throws {UserError} it is none, or was changed
 */
export function noiseFromPicture({ width, height, rgb }) {
  const held = new Uint8Array(3 * CELLS * Math.floor(height / CELL));
  for (let cell = 0; cell < held.length / 3; cell++) {
    const [x, y] = [(cell % CELLS) * CELL, Math.floor(cell / CELLS) * CELL];
    const place = 3 * (y * width + x);
    held.set(rgb.subarray(place, place + 3), 3 * cell);
  }
  const count = held.length >= 12 ? new DataView(held.buffer).getUint32(4, true) : 0;
  const whole = 12 + 4 * count;
  const isNoise = width === CELLS * CELL && MARK.every((byte, place) => held[place] === byte);
  if (!isNoise || count < 1 || count > MOST || whole > held.length) {
    throw new UserError(
      "the picture is no noise, expected a picture of noise that this page saved",
    );
  }
  checkSum(held.subarray(0, whole - 4), new DataView(held.buffer).getUint32(whole - 4, true));
  return numbersOf(held.subarray(8, whole - 4));
}

/** The cell of a pixel. @param {number} x @param {number} y */
function cellOf(x, y) {
  return Math.floor(y / CELL) * CELLS + Math.floor(x / CELL);
}

/** @param {Float32Array} noise */
function bytesOf(noise) {
  const bytes = new Uint8Array(4 * noise.length);
  const view = new DataView(bytes.buffer);
  for (const [place, value] of noise.entries()) {
    view.setFloat32(4 * place, value, true);
  }
  return bytes;
}

/** @param {Uint8Array} bytes */
function numbersOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const noise = Float32Array.from({ length: bytes.length / 4 }, (_, place) =>
    view.getFloat32(4 * place, true),
  );
  if (!noise.every(Number.isFinite)) {
    throw new UserError("the noise has numbers that are not finite, expected finite ones");
  }
  return noise;
}

/** @param {string} letters in base64url @returns {Uint8Array | null} null: they are none */
function fromBase64(letters) {
  try {
    const binary = atob(letters.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes @param {number} expected */
function checkSum(bytes, expected) {
  const found = crc32(bytes);
  if (found !== expected) {
    throw new UserError(
      `the noise's check sum is ${hexadecimal(found)}, expected ${hexadecimal(expected)}: it was changed`,
    );
  }
}

/** @param {number} value */
function hexadecimal(value) {
  return value.toString(16).padStart(8, "0");
}

/**
 * Pictures to PNG and back, animated ones too.
 *
 * "Portable Network Graphics (PNG) Specification (Third Edition)", W3C, https://www.w3.org/TR/png-3/,
 * of which section 11.3.6 is the animated kind. Written are 8-bit RGB; read are 8-bit RGB and RGBA.
 */

import { crc32 } from "./crc32.js";
import { UserError } from "./errors.js";
import { joined } from "./joined.js";

/** @typedef {{width: number, height: number, rgb: Uint8Array | Uint8ClampedArray}} Picture */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const UP = 2; // a filter's number: each byte less the one above, good for all that is enlarged
const CHANNELS = new Map([
  [2, 3],
  [6, 4],
]);
const MOST_PIXELS = 2 ** 23; // read, so that no file fills the memory: the longest noise has fewer

/**
 * Write a picture.
 *
 * @param {Picture} picture
 * @returns {Promise<Uint8Array<ArrayBuffer>>} the file
 */
export async function encodePng({ width, height, rgb }) {
  return joined(Uint8Array, [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header(width, height)),
    chunk("IDAT", await compressed(rgb, width, height)),
    chunk("IEND", new Uint8Array()),
  ]);
}

/**
 * Write pictures of one size as an animated PNG that begins again at its end.
 *
 * @param {Picture[]} frames one or more; one that comes again is compressed once
 * @param {number} framesPerSecond a whole number, 1 to 65535
 * @returns {Promise<Uint8Array<ArrayBuffer>>} the file; where it cannot move, it is the first frame
 */
export async function encodeAnimation(frames, framesPerSecond) {
  const [{ width, height }] = frames;
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header(width, height)),
    chunk("acTL", numbers32(frames.length, 0)),
  ];
  /** @type {Map<Picture, Uint8Array>} */
  const known = new Map();
  let order = 0;
  for (const [place, frame] of frames.entries()) {
    const data = known.get(frame) ?? (await compressed(frame.rgb, width, height));
    known.set(frame, data);
    const delay = Uint8Array.of(0, 1, framesPerSecond >> 8, framesPerSecond & 255, 0, 0);
    parts.push(chunk("fcTL", joined(Uint8Array, [numbers32(order++, width, height, 0, 0), delay])));
    parts.push(
      place === 0
        ? chunk("IDAT", data)
        : chunk("fdAT", joined(Uint8Array, [numbers32(order++), data])),
    );
  }
  return joined(Uint8Array, [...parts, chunk("IEND", new Uint8Array())]);
}

/**
 * Read a picture.
 *
 * @param {Uint8Array} file
 * @returns {Promise<Picture>} without its transparency
 * @throws {UserError} it is no PNG, or damaged, too large, or of another kind than 8-bit RGB and RGBA
 */
export async function decodePng(file) {
  if (!SIGNATURE.every((byte, place) => file[place] === byte)) {
    throw new UserError("the file holds no noise, expected a PNG or a text that this page saved");
  }
  const chunks = chunksOf(file);
  const first = chunks[0];
  if (first?.kind !== "IHDR" || first.data.length !== 13) {
    throw damaged();
  }
  const view = viewOf(first.data);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colours, , , interlaced] = first.data.subarray(8);
  const channels = CHANNELS.get(colours);
  if (depth !== 8 || channels === undefined || interlaced) {
    throw new UserError("the PNG is of another kind, expected a picture that this page saved");
  }
  if (width * height === 0 || width * height > MOST_PIXELS) {
    throw new UserError(
      `the PNG has ${width} x ${height} pixels, expected at most ${MOST_PIXELS} in all`,
    );
  }
  const data = chunks.filter(({ kind }) => kind === "IDAT").map((part) => part.data);
  const rows = await inflated(joined(Uint8Array, data), height * (1 + width * channels));
  return { width, height, rgb: withoutAlpha(unfiltered(rows, width, height, channels), channels) };
}

/** @param {number} width @param {number} height */
function header(width, height) {
  return joined(Uint8Array, [numbers32(width, height), Uint8Array.of(8, 2, 0, 0, 0)]);
}

/** @param {string} kind @param {Uint8Array} data */
function chunk(kind, data) {
  const named = joined(Uint8Array, [new TextEncoder().encode(kind), data]);
  return joined(Uint8Array, [numbers32(data.length), named, numbers32(crc32(named))]);
}

/** @param {Uint8Array} file @returns {{kind: string, data: Uint8Array}[]} */
function chunksOf(file) {
  const view = viewOf(file);
  const chunks = [];
  for (let at = SIGNATURE.length; at < file.length; ) {
    if (at + 12 > file.length) {
      throw damaged();
    }
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > file.length || crc32(file.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw damaged();
    }
    const kind = String.fromCharCode(...file.subarray(at + 4, at + 8));
    chunks.push({ kind, data: file.subarray(at + 8, end) });
    at = end + 4;
  }
  return chunks;
}

/** @param {Uint8Array | Uint8ClampedArray} rgb @param {number} width @param {number} height */
async function compressed(rgb, width, height) {
  const length = 3 * width;
  const rows = new Uint8Array(height * (1 + length));
  for (let row = 0; row < height; row++) {
    const [from, to] = [row * length, row * (1 + length)];
    rows[to] = UP;
    for (let place = 0; place < length; place++) {
      rows[to + 1 + place] = rgb[from + place] - (row > 0 ? rgb[from - length + place] : 0);
    }
  }
  return streamed(rows, new CompressionStream("deflate"));
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {number} size of what comes out, in bytes
 */
async function inflated(data, size) {
  let found;
  try {
    found = await streamed(data, new DecompressionStream("deflate"), size);
  } catch {
    throw damaged();
  }
  if (found.length !== size) {
    throw damaged();
  }
  return found;
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {CompressionStream | DecompressionStream} transform
 * @param {number} most bytes that may come out, so that a small file cannot fill the memory
 */
async function streamed(data, transform, most = Number.POSITIVE_INFINITY) {
  const reader = new Blob([data]).stream().pipeThrough(transform).getReader();
  /** @type {Uint8Array[]} */
  const parts = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) {
      return joined(Uint8Array, parts);
    }
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw damaged();
    }
    parts.push(value);
  }
}

/**
 * Undo the filters of rows (section 9.2).
 *
 * @param {Uint8Array} rows each with its filter's number before it
 * @param {number} width
 * @param {number} height
 * @param {number} channels
 */
function unfiltered(rows, width, height, channels) {
  const length = width * channels;
  const pixels = new Uint8Array(height * length);
  for (let row = 0; row < height; row++) {
    const filter = rows[row * (1 + length)];
    if (filter > 4) {
      throw damaged();
    }
    for (let place = 0; place < length; place++) {
      const at = row * length + place;
      const left = place >= channels ? pixels[at - channels] : 0;
      const above = row > 0 ? pixels[at - length] : 0;
      const corner = row > 0 && place >= channels ? pixels[at - length - channels] : 0;
      const guesses = [0, left, above, (left + above) >> 1, paeth(left, above, corner)];
      pixels[at] = rows[row * (1 + length) + 1 + place] + guesses[filter];
    }
  }
  return pixels;
}

/** @param {number} left @param {number} above @param {number} corner */
function paeth(left, above, corner) {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((value) => Math.abs(guess - value));
  if (toLeft <= toAbove && toLeft <= toCorner) {
    return left;
  }
  return toAbove <= toCorner ? above : corner;
}

/** @param {Uint8Array} pixels @param {number} channels */
function withoutAlpha(pixels, channels) {
  return channels === 3 ? pixels : pixels.filter((_, place) => place % 4 < 3);
}

/** @param {...number} values */
function numbers32(...values) {
  const bytes = new Uint8Array(4 * values.length);
  const view = viewOf(bytes);
  for (const [place, value] of values.entries()) {
    view.setUint32(4 * place, value);
  }
  return bytes;
}

/** @param {Uint8Array} bytes */
function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function damaged() {
  return new UserError("the PNG is damaged, expected a picture that this page saved");
}

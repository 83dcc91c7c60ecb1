/** A model of the page, drawn with onnxruntime-web: latents and words in, pictures out. */

import { UserError } from "./errors.js";
import { bytesOf } from "./parts.js";
import { Words } from "./words.js";

/** @typedef {import("./parts.js").ModelFacts} ModelFacts */

/**
 * What is used of a session of onnxruntime-web.
 *
 * @typedef {object} Session
 * @property {(feeds: Record<string, Tensor>) => Promise<Record<string, Tensor>>} run
 */

/**
 * What is used of its tensors.
 *
 * @typedef {object} Tensor
 * @property {string} type "float32" or "uint8"
 * @property {readonly number[]} dims
 * @property {Float32Array | Uint8Array} data
 */

/** Rows that are computed at once: memory stays bounded. */
const BATCH = 25;

/** Those that have all that the page needs, as docs/page.md says. */
export const BROWSERS = "Chrome or Edge 105, Firefox 121, Safari 16.4 or newer";

/** The smallest module with an instruction of SIMD: (func (result v128) (i8x16.splat (i32.const 0))). */
const SIMD = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // the beginning of any module, version 1
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b], // a type: nothing in, v128 out
  ...[0x03, 0x02, 0x01, 0x00], // a function of it
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b], // its code
);

/** A generator that is ready to draw. */
export class Model {
  /** @type {Session} */
  #session;

  /**
   * @param {ModelFacts} facts
   * @param {Session} session
   */
  constructor(facts, session) {
    this.facts = facts;
    /** The groups of words that it takes; null where it takes none. */
    this.words = facts.words === null ? null : Words.fromJson(facts.words);
    this.#session = session;
  }

  /**
   * @param {ModelFacts} facts one of models()
   * @returns {Promise<Model>}
   * @throws {UserError} the page is damaged, or the browser cannot run it: no SIMD, no memory
   */
  static async open(facts) {
    const [ort, content] = await Promise.all([onnxruntime(), bytesOf(facts.id)]);
    try {
      const session = await ort.InferenceSession.create(content, {
        executionProviders: ["wasm"],
        logSeverityLevel: 4, // what fails is thrown, and what is only slow is no error
      });
      return new Model(facts, session);
    } catch (error) {
      throw new UserError(`this browser cannot run ${facts.title}: ${firstLine(error)}`);
    }
  }

  /**
   * Draw the pictures of latents, as Python's Generator.images_of does: the same bytes where
   * `facts.exact`, else a level of 255 may differ.
   *
   * @param {Float32Array} latents (N, latentSize)
   * @param {Float32Array | null} conditions (N, words.size), used as they are: mixtures of words,
   *   too; null where there are no words
   * @returns {Promise<Uint8ClampedArray>} (N, H, W, 3), RGB
   * @throws {TypeError} the arrays do not fit the model, or each other
   * @throws {UserError} the browser failed: no memory, say
   */
  async images(latents, conditions) {
    const { latentSize, imageSize } = this.facts;
    const rows = latents.length / latentSize;
    if (!Number.isInteger(rows)) throw new TypeError(`expected latents of ${latentSize} numbers`);
    if ((conditions?.length ?? 0) !== rows * (this.words?.size ?? 0)) {
      throw new TypeError(
        "expected a condition for each latent, and none where there are no words",
      );
    }
    const pixels = new Uint8ClampedArray(rows * imageSize * imageSize * 3);
    for (let start = 0; start < rows; start += BATCH) {
      const end = Math.min(start + BATCH, rows);
      const feeds = { latent: tensor(latents, start, end, latentSize) };
      if (conditions !== null && this.words !== null) {
        Object.assign(feeds, { condition: tensor(conditions, start, end, this.words.size) });
      }
      const bytes = await this.#run(feeds, end - start);
      pixels.set(bytes, start * imageSize * imageSize * 3);
    }
    return pixels;
  }

  /**
   * @param {Record<string, {data: Float32Array, dims: number[]}>} feeds
   * @param {number} rows
   * @returns {Promise<Uint8Array | Uint8ClampedArray>} (rows, H, W, 3)
   */
  async #run(feeds, rows) {
    const { title, imageSize, valueRange, bytesOut } = this.facts;
    const { Tensor } = await onnxruntime();
    let image;
    try {
      const tensors = Object.entries(feeds).map(([name, { data, dims }]) => {
        return [name, new Tensor("float32", data, dims)];
      });
      ({ image } = await this.#session.run(Object.fromEntries(tensors)));
    } catch (error) {
      throw new UserError(`this browser cannot draw with ${title}: ${firstLine(error)}`);
    }
    const shape = bytesOut ? [imageSize, imageSize, 3] : [3, imageSize, imageSize];
    if (image.dims.join() !== [rows, ...shape].join()) {
      throw new UserError(`${title} gave pictures of the shape ${image.dims.join(" x ")}`);
    }
    if (image.data instanceof Float32Array) return toBytes(image.data, imageSize, valueRange);
    return image.data;
  }
}

/**
 * Turn a network's output into bytes, as Python's to_bytes does: in float32, halves to even.
 *
 * @param {Float32Array} output (N, 3, H, W)
 * @param {number} size H and W
 * @param {[number, number]} valueRange what is black, and what is white
 * @returns {Uint8ClampedArray} (N, H, W, 3)
 * @throws {UserError} the output has what is no number
 */
export function toBytes(output, size, [low, high]) {
  const least = Math.fround(low);
  const levels = Math.fround(255 / (high - low));
  const plane = size * size;
  const bytes = new Uint8ClampedArray(output.length);
  for (let place = 0; place < output.length; place++) {
    const level = Math.fround(Math.fround(output[place] - least) * levels);
    if (Number.isNaN(level)) throw new UserError("the model gave values that are not numbers");
    const channel = Math.floor(place / plane) % 3;
    const pixel = (place % plane) + plane * Math.floor(place / (3 * plane));
    bytes[3 * pixel + channel] = level; // this array rounds halves to even, and clips
  }
  return bytes;
}

/** @type {Promise<any> | undefined} */
let loading;

/**
 * @returns {Promise<any>} onnxruntime-web, on one thread: more need headers of a server
 * @throws {UserError} the browser lacks what it needs, or the page is damaged
 */
function onnxruntime() {
  loading ??= load();
  return loading;
}

async function load() {
  if (!globalThis.WebAssembly?.validate(SIMD)) {
    throw new UserError(`this browser's WebAssembly has no SIMD, expected ${BROWSERS}`);
  }
  const [code, binary] = await Promise.all([
    bytesOf("/onnxruntime.mjs"),
    bytesOf("/onnxruntime.wasm"),
  ]);
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(url).finally(() => URL.revokeObjectURL(url));
  ort.env.wasm.wasmBinary = binary;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "fatal";
  return ort;
}

/**
 * @param {Float32Array} rows
 * @param {number} start
 * @param {number} end
 * @param {number} size of a row
 */
function tensor(rows, start, end, size) {
  return { data: rows.slice(start * size, end * size), dims: [end - start, size] };
}

/** @param {unknown} error */
function firstLine(error) {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0];
}

/**
 * What stands in the page beside its own code: the models, onnxruntime-web, and the licences.
 *
 * Its builder has put each part into a script of the type text/plain, gzip as text.
 */

import { UserError } from "./errors.js";

/** What each character counts, by its code: all that is printed in ASCII but what means something in HTML. */
const VALUES = new Uint8Array(127);
for (let code = 33, value = 0; code < 127; code++) {
  if (!'"&<'.includes(String.fromCharCode(code))) VALUES[code] = value++;
}

/**
 * A model of the page, and what its file says of itself.
 *
 * @typedef {object} ModelFacts
 * @property {string} id what the address calls it; no slash is in it
 * @property {string} title what people call it
 * @property {string} file the name of its file, for who downloads it
 * @property {number} bytes the size of that
 * @property {number} latentSize length of a latent
 * @property {"normal" | "uniform"} distribution of the numbers of a latent
 * @property {number} imageSize height and width of a picture, in pixels
 * @property {[number, number]} valueRange least and greatest value of a pixel, as the network has it
 * @property {boolean} bytesOut whether the graph itself gives pictures as bytes
 * @property {string | null} words its words in JSON, as Words.fromJson takes them; null: it has none
 * @property {boolean} exact whether all layers compute in integers, so that its pictures are the
 *   same everywhere, byte for byte
 * @property {{name: string, value: string}[]} facts what else there is to say of it
 */

/**
 * The licence of a part of the page.
 *
 * @typedef {object} Licence
 * @property {string} part what it is the licence of
 * @property {string} name of the licence, or of the notices
 * @property {string} text all of it
 */

/**
 * @returns {ModelFacts[]} the models of this page, at least one, in the order they were named in
 * @throws {UserError} the page is damaged
 */
export function models() {
  try {
    return JSON.parse(script("models").text);
  } catch (error) {
    throw error instanceof UserError ? error : damaged("models");
  }
}

/**
 * @returns {Promise<Licence[]>} of all that the page is made of
 * @throws {UserError} the page is damaged
 */
export async function licences() {
  return JSON.parse(new TextDecoder().decode(await bytesOf("/licences")));
}

/**
 * Unpack a part.
 *
 * @param {string} id a model's, or what this module or model.js names
 * @returns {Promise<Uint8Array<ArrayBuffer>>} its content, of the length and, where the browser can
 *   compute it, with the SHA-256 that the builder noted; gzip's own check sum was right in any case
 * @throws {UserError} the page is damaged
 */
export async function bytesOf(id) {
  const { text, dataset } = script(`part:${id}`);
  let content;
  try {
    const unpacked = new Blob([fromText(text, Number(dataset.packed))])
      .stream()
      .pipeThrough(new DecompressionStream("gzip"));
    content = new Uint8Array(await new Response(unpacked).arrayBuffer());
  } catch {
    throw damaged(id);
  }
  if (content.length !== Number(dataset.bytes) || !(await hasSha256(content, dataset.sha256))) {
    throw damaged(id);
  }
  return content;
}

/**
 * Bytes from text that has 13 bits in two characters of 91, the higher one first.
 *
 * @param {string} text
 * @param {number} length how many bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
function fromText(text, length) {
  const bytes = new Uint8Array(length);
  let place = 0;
  let bits = 0; // that are not in bytes yet, and how many
  let held = 0;
  for (let at = 0; at < text.length; at += 2) {
    const number = VALUES[text.charCodeAt(at)] * 91 + VALUES[text.charCodeAt(at + 1)];
    bits = (bits << 13) | number;
    for (held += 13; held >= 8; held -= 8) bytes[place++] = bits >>> (held - 8); // its lowest 8 bits
    bits &= 0xff;
  }
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} content
 * @param {string | undefined} expected in hexadecimal digits
 * @returns {Promise<boolean>} false where it is known to be another
 */
async function hasSha256(content, expected) {
  if (!globalThis.crypto?.subtle) return true; // not every browser has it on file:// or plain HTTP
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === expected;
}

/**
 * @param {string} id
 * @returns {HTMLScriptElement}
 */
function script(id) {
  const found = document.getElementById(id);
  if (!(found instanceof HTMLScriptElement)) throw damaged(id);
  return found;
}

/** @param {string} id */
function damaged(id) {
  return new UserError(`this page is damaged at ${id}: get it again, or build it again`);
}

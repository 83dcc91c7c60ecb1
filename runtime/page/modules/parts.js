/**
 * What stands in the page beside its own code: the models, onnxruntime-web, and the licences.
 *
 * Its builder has put each part into a script of the type text/plain, gzip in base64.
 */

import { UserError } from "./errors.js";

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
    const unpacked = new Blob([fromBase64(text)])
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
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 */
function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let place = 0; place < bytes.length; place++) bytes[place] = characters.charCodeAt(place);
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

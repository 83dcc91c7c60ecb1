/**
 * What the page's modules answer to what test_modules.py asks: a question's name and what is given,
 * as JSON on stdin; the answer as JSON on stdout. Numbers of 64 bits are text, arrays of float32
 * base64.
 */

import { readFileSync } from "node:fs";
import { quoted, UserError } from "../../runtime/page/modules/errors.js";
import { lerp, slerp, walk } from "../../runtime/page/modules/interpolation.js";
import { drawLatents, parseSeed } from "../../runtime/page/modules/latents.js";
import { closeMatches } from "../../runtime/page/modules/near.js";
import { plain, split } from "../../runtime/page/modules/spelling.js";
import { Words } from "../../runtime/page/modules/words.js";

const PATHS = { lerp, slerp };

const ANSWERS = {
  closeMatches: ({ cases }) => cases.map(([word, known]) => closeMatches(word, known)),
  describe: ({ tables }) => each(tables, (words, choice) => words.describe(choice)),
  draw: ({ tables }) =>
    each(tables, (words, [seed, index, given]) => words.draw(BigInt(seed), BigInt(index), given)),
  filled: ({ tables }) =>
    each(tables, (words, [seed, index, condition]) =>
      base64(words.filled(BigInt(seed), BigInt(index), floats(condition))),
    ),
  known: ({ characters }) => characters.filter((character) => !/\p{Cn}/u.test(character)),
  latents: ({ draws, count, size, distribution }) =>
    draws.map(([seed, first]) =>
      base64(drawLatents(BigInt(seed), count, size, distribution, BigInt(first))),
    ),
  oneHot: ({ tables }) => each(tables, (words, choice) => base64(words.oneHot(choice))),
  parse: ({ tables }) => each(tables, (words, text) => orError(() => words.parse(text))),
  parseSeed: ({ texts }) => texts.map((text) => orError(() => String(parseSeed(text)))),
  path: ({ name, pairs, fractions }) =>
    pairs.map(([start, end]) => base64(PATHS[name](floats(start), floats(end), fractions))),
  plain: ({ texts }) => texts.map(plain),
  quoted: ({ texts }) => texts.map(quoted),
  split: ({ texts }) => texts.map(split),
  walk: ({ name, waypoints, frames }) => base64(walk(waypoints.map(floats), frames, PATHS[name])),
};

/** Of tables of words, each as JSON and with its cases, what `answer` makes of each case. */
function each(tables, answer) {
  return tables.map(([json, cases]) => {
    const words = Words.fromJson(json);
    return cases.map((item) => answer(words, item));
  });
}

function orError(answer) {
  try {
    return answer();
  } catch (error) {
    if (error instanceof UserError) {
      return { error: error.message };
    }
    throw error;
  }
}

function floats(text) {
  return new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}

function base64(array) {
  return Buffer.from(array.buffer).toString("base64");
}

const { question, given } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(ANSWERS[question](given)));

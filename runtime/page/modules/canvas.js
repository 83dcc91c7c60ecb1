/** Pictures on canvases, enlarged, each drawn in one go so that nothing flickers. */

import { enlarge } from "./enlarge.js";

/** @typedef {import("./png.js").Picture} Picture */

const MOST_PIXELS = 1024; // of a side: more take longer than they help

/**
 * Show a picture on a canvas, as large as that stands on the screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} picture
 * @param {boolean} smooth
 */
export function show(canvas, picture, smooth) {
  const wanted = Math.min(MOST_PIXELS, canvas.clientWidth * devicePixelRatio);
  const factor = Math.max(1, Math.ceil(wanted / picture.width));
  paint(canvas, enlarge(picture, factor, smooth));
  canvas.classList.toggle("pixels", !smooth);
}

/**
 * Put the pixels of a picture onto a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Picture} picture
 */
export function paint(canvas, { width, height, rgb }) {
  const image = new ImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    image.data[4 * place] = rgb[3 * place];
    image.data[4 * place + 1] = rgb[3 * place + 1];
    image.data[4 * place + 2] = rgb[3 * place + 2];
    image.data[4 * place + 3] = 255;
  }
  if (canvas.width !== width || canvas.height !== height) {
    Object.assign(canvas, { width, height });
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

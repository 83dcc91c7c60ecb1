/**
 * Pictures enlarged by a whole factor: as squares, or smoothly.
 *
 * The smooth way is cubic convolution with a = -1/2 (Keys, "Cubic convolution interpolation for
 * digital image processing", IEEE Transactions on Acoustics, Speech, and Signal Processing, 1981,
 * equation 15), known as Catmull-Rom's: it is sharper than what a canvas does by itself, and the
 * same in every browser.
 */

/** @typedef {import("./png.js").Picture} Picture */

/**
 * @param {Picture} picture
 * @param {number} factor whole, at least 1
 * @param {boolean} smooth
 * @returns {Picture}
 */
export function enlarge({ width, height, rgb }, factor, smooth) {
  const weights = smooth ? cubicWeights(factor) : nearestWeights(factor);
  const wide = stretched(new Float32Array(rgb), height, width, 3, factor, weights);
  const large = stretched(wide, 1, height, 3 * width * factor, factor, weights);
  return { width: width * factor, height: height * factor, rgb: new Uint8ClampedArray(large) };
}

/**
 * Stretch the middle one of three axes.
 *
 * @param {Float32Array} values (before, size, after)
 * @param {number} before
 * @param {number} size
 * @param {number} after
 * @param {number} factor
 * @param {Float64Array[]} weights of the four values around, for each place within one
 * @returns {Float32Array} (before, size * factor, after)
 */
function stretched(values, before, size, after, factor, weights) {
  const result = new Float32Array(before * size * factor * after);
  let to = 0;
  for (let outer = 0; outer < before; outer++) {
    // Where a value stands: beyond an edge it goes on as it is.
    const placeOf = (/** @type {number} */ at) =>
      (outer * size + Math.min(size - 1, Math.max(0, at))) * after;
    for (let place = 0; place < size * factor; place++) {
      const phase = place % factor;
      const start = Math.floor(place / factor) + (2 * phase + 1 < factor ? -2 : -1);
      const a = placeOf(start);
      const b = placeOf(start + 1);
      const c = placeOf(start + 2);
      const d = placeOf(start + 3);
      const [p, q, r, s] = weights[phase];
      for (let inner = 0; inner < after; inner++) {
        result[to++] =
          p * values[a + inner] +
          q * values[b + inner] +
          r * values[c + inner] +
          s * values[d + inner];
      }
    }
  }
  return result;
}

/** @param {number} factor @returns {Float64Array[]} */
function cubicWeights(factor) {
  return Array.from({ length: factor }, (_, phase) => {
    const place = (phase + 0.5) / factor - 0.5; // from the middle of its pixel
    const beyond = place < 0 ? place + 1 : place; // from the second of the four values
    return Float64Array.of(1 + beyond, beyond, 1 - beyond, 2 - beyond).map(cubic);
  });
}

/** @param {number} factor @returns {Float64Array[]} */
function nearestWeights(factor) {
  return Array.from({ length: factor }, (_, phase) =>
    2 * phase + 1 < factor ? Float64Array.of(0, 0, 1, 0) : Float64Array.of(0, 1, 0, 0),
  );
}

/** @param {number} distance from 0 to 2 */
function cubic(distance) {
  return distance < 1
    ? 1.5 * distance ** 3 - 2.5 * distance ** 2 + 1
    : -0.5 * distance ** 3 + 2.5 * distance ** 2 - 4 * distance + 2;
}

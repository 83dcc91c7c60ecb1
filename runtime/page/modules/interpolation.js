/** Paths between latents: straight lines, and great circles, as edgegan.runtime.interpolation. */

/** Below it, one great circle is as good as another, or as the straight line. */
const SMALLEST_SINE = 1e-6;

/**
 * @callback Interpolate
 * @param {Float32Array} start (D,), what fraction 0 gives, bit for bit
 * @param {Float32Array} end (D,), what fraction 1 gives, bit for bit
 * @param {readonly number[]} fractions N of them, from 0 to 1
 * @returns {Float32Array} (N, D): one after the other
 */

/**
 * Interpolate linearly, on the straight line between two latents.
 *
 * @type {Interpolate}
 */
export function lerp(start, end, fractions) {
  return weighted(
    start,
    end,
    fractions.map((fraction) => [1 - fraction, fraction]),
  );
}

/**
 * Interpolate spherically, on the great circle between two latents.
 *
 * Shoemake, "Animating rotation with quaternion curves" (SIGGRAPH 1985), as White, "Sampling
 * Generative Networks" (2016, https://arxiv.org/abs/1609.04468), uses it. The latents keep their
 * own lengths. Where they are parallel, opposite or zero, the result is lerp's.
 *
 * Of latents that are nearly opposite, within a tenth of a radian, which random ones are not, the
 * last bit of a number can differ from numpy's, as numpy's does from processor to processor.
 *
 * @type {Interpolate}
 */
export function slerp(start, end, fractions) {
  const angle = angleBetween(start, end);
  const sine = Math.sin(angle);
  if (sine < SMALLEST_SINE) {
    return lerp(start, end, fractions);
  }
  return weighted(
    start,
    end,
    fractions.map((fraction) => [
      Math.sin((1 - fraction) * angle) / sine,
      Math.sin(fraction * angle) / sine,
    ]),
  );
}

/**
 * Go from each latent to the next in evenly spaced steps.
 *
 * @param {readonly Float32Array[]} waypoints (D,) each, two or more
 * @param {number} frames latents on each leg, at least 2, with both of its ends; a waypoint between
 *   two legs comes once
 * @param {Interpolate} interpolate lerp or slerp
 * @returns {Float32Array} ((waypoints - 1) * (frames - 1) + 1, D), with the waypoints in it bit for
 *   bit
 */
export function walk(waypoints, frames, interpolate) {
  const step = 1 / (frames - 1);
  const fractions = Array.from({ length: frames - 1 }, (_, index) => index * step);
  const size = waypoints[0].length;
  const legs = waypoints.length - 1;
  const path = new Float32Array((legs * fractions.length + 1) * size);
  for (let leg = 0; leg < legs; leg += 1) {
    const points = interpolate(waypoints[leg], waypoints[leg + 1], fractions);
    path.set(points, leg * points.length);
  }
  path.set(waypoints[legs], path.length - size);
  return path;
}

/**
 * The angle between two vectors, in radians from 0 to pi; 0 where one of them is zero.
 *
 * By Kahan's formula, 2 atan(||x' - y'|| / ||x' + y'||) with x' and y' of equal lengths.
 *
 * @param {Float32Array} start (D,)
 * @param {Float32Array} end (D,)
 * @returns {number}
 */
function angleBetween(start, end) {
  const startLength = norm(Float64Array.from(start));
  const endLength = norm(Float64Array.from(end));
  const difference = Float64Array.from(start, (x, at) => x * endLength - end[at] * startLength);
  const sum = Float64Array.from(start, (x, at) => x * endLength + end[at] * startLength);
  return 2 * Math.atan2(norm(difference), norm(sum));
}

/**
 * @param {Float64Array} vector
 * @returns {number}
 */
function norm(vector) {
  let sum = 0;
  for (const value of vector) {
    sum += value * value;
  }
  return Math.sqrt(sum);
}

/**
 * @param {Float32Array} start
 * @param {Float32Array} end
 * @param {[number, number][]} weights N pairs
 * @returns {Float32Array} (N, D)
 */
function weighted(start, end, weights) {
  const size = start.length;
  const points = new Float32Array(weights.length * size);
  for (const [row, [startWeight, endWeight]] of weights.entries()) {
    for (let at = 0; at < size; at += 1) {
      // In float64, so that weights of 0 and 1 give the ends back.
      points[row * size + at] = startWeight * start[at] + endWeight * end[at];
    }
  }
  return points;
}

/** Pictures side by side in one, as edgegan's tight grid has them. */

/** @typedef {import("./png.js").Picture} Picture */

const WHITE = 255;

/**
 * @param {Picture[]} pictures of one size, which fill the rows
 * @param {number} columns
 * @param {number} gap between them, in pixels
 * @returns {Picture} white between them
 */
export function sheet(pictures, columns, gap) {
  const [{ width, height }] = pictures;
  const rows = pictures.length / columns;
  const [wide, high] = [columns * (width + gap) - gap, rows * (height + gap) - gap];
  const rgb = new Uint8Array(3 * wide * high).fill(WHITE);
  for (const [place, tile] of pictures.entries()) {
    const [left, top] = [place % columns, Math.floor(place / columns)];
    for (let row = 0; row < height; row++) {
      const start = wide * (top * (height + gap) + row) + left * (width + gap);
      rgb.set(tile.rgb.subarray(3 * row * width, 3 * (row + 1) * width), 3 * start);
    }
  }
  return { width: wide, height: high, rgb };
}

/**
 * Put arrays of one kind one after the other.
 *
 * @template {Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>} Whole
 * @param {new (length: number) => Whole} Kind of all of them
 * @param {readonly ArrayLike<number>[]} parts
 * @returns {Whole}
 */
export function joined(Kind, parts) {
  const whole = new Kind(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

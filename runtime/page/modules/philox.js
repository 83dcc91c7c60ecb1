/**
 * numpy's Generator(Philox(key=[seed, stream], counter=[0, 0, 0, index])), number for number.
 *
 * Philox4x64-10 is by Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011). A
 * 64-bit number is two halves of 32 bits here: BigInt would take a hundred times as long.
 */

import { HEIGHTS, INVERSE_TAIL, LIMITS, TAIL, WIDTHS } from "./ziggurat.js";

const ROUNDS = 10;
const TWO_32 = 2 ** 32;

// The paper's multipliers, and what is added to the keys between two rounds.
const M0_HIGH = 0xd2e7470e;
const M0_LOW = 0xe14c6c93;
const M1_HIGH = 0xca5a8263;
const M1_LOW = 0x95121157;
const W0_HIGH = 0x9e3779b9;
const W0_LOW = 0x7f4a7c15;
const W1_HIGH = 0xbb67ae85;
const W1_LOW = 0x84caa73b;

/** The products of a round, as `multiply` leaves them. */
const product0 = new Uint32Array(4);
const product1 = new Uint32Array(4);

/** What is drawn for a seed, a stream and an index. */
export class Philox {
  /** The last number that was drawn: its high and its low 32 bits. */
  high = 0;
  low = 0;

  /** Four numbers at a time, each its high and its low half, and how many of them are used up. */
  #block = new Uint32Array(8);
  #used = 4;

  /** The counter's lowest 32 bits, counted up before each block: 2^34 numbers are enough here. */
  #counter = 0;
  #index;
  #seed;
  #stream;

  /**
   * @param {bigint} seed 0 to 2^64 - 1
   * @param {number} stream a whole number, 0 to 2^32 - 1
   * @param {bigint} index 0 to 2^64 - 1
   * @throws {RangeError} seed or index is another
   */
  constructor(seed, stream, index) {
    this.#seed = halves(seed);
    this.#stream = stream;
    this.#index = halves(index);
  }

  /** Draw 64 bits: they are in `high` and `low` afterwards. */
  next64() {
    if (this.#used === 4) {
      this.#fill();
    }
    this.high = this.#block[2 * this.#used];
    this.low = this.#block[2 * this.#used + 1];
    this.#used += 1;
  }

  /**
   * Draw from the uniform distribution over [0, 1), in steps of 2^-53.
   *
   * @returns {number}
   */
  random() {
    this.next64();
    return (this.high * 2 ** 21 + (this.low >>> 11)) * 2 ** -53;
  }

  /**
   * Draw from the standard normal distribution, by the ziggurat method.
   *
   * A machine's exp and log1p may differ from numpy's by the last bit of a float64. Fewer than one
   * draw in 10^15 comes out otherwise by it, and fewer than one of the tail's in 10^8 rounds to
   * another float32.
   *
   * @returns {number}
   */
  standardNormal() {
    for (;;) {
      this.next64();
      const layer = this.low & 0xff;
      const negative = this.low & 0x100;
      const tailNegative = this.low & 0x20000;
      const steps = (this.high & 0x1fffffff) * 2 ** 23 + (this.low >>> 9);
      const x = negative ? -steps * WIDTHS[layer] : steps * WIDTHS[layer];
      if (steps < LIMITS[layer]) {
        return x; // 985 of 1,000 draws end here
      }
      if (layer === 0) {
        return tailNegative ? -this.#tail() : this.#tail();
      }
      const height = (HEIGHTS[layer - 1] - HEIGHTS[layer]) * this.random() + HEIGHTS[layer];
      if (height < Math.exp(-0.5 * x * x)) {
        return x;
      }
    }
  }

  /**
   * Draw from beyond TAIL (Marsaglia, "Generating a variable from the tail of the normal
   * distribution", Technometrics 6, 1964).
   *
   * @returns {number}
   */
  #tail() {
    for (;;) {
      const x = -INVERSE_TAIL * Math.log1p(-this.random());
      const y = -Math.log1p(-this.random());
      if (y + y > x * x) {
        return TAIL + x;
      }
    }
  }

  /** Compute the next block. */
  #fill() {
    this.#counter += 1;
    let [high0, low0] = [0, this.#counter];
    let [high1, low1] = [0, 0];
    let [high2, low2] = [0, 0];
    let [high3, low3] = this.#index;
    let [keyHigh0, keyLow0] = this.#seed;
    let [keyHigh1, keyLow1] = [0, this.#stream];
    for (let round = 0; round < ROUNDS; round += 1) {
      multiply(M0_HIGH, M0_LOW, high0, low0, product0);
      multiply(M1_HIGH, M1_LOW, high2, low2, product1);
      high0 = (product1[0] ^ high1 ^ keyHigh0) >>> 0;
      low0 = (product1[1] ^ low1 ^ keyLow0) >>> 0;
      high1 = product1[2];
      low1 = product1[3];
      high2 = (product0[0] ^ high3 ^ keyHigh1) >>> 0;
      low2 = (product0[1] ^ low3 ^ keyLow1) >>> 0;
      high3 = product0[2];
      low3 = product0[3];
      keyLow0 += W0_LOW;
      keyHigh0 = (keyHigh0 + W0_HIGH + (keyLow0 >= TWO_32 ? 1 : 0)) >>> 0;
      keyLow0 >>>= 0;
      keyLow1 += W1_LOW;
      keyHigh1 = (keyHigh1 + W1_HIGH + (keyLow1 >= TWO_32 ? 1 : 0)) >>> 0;
      keyLow1 >>>= 0;
    }
    this.#block.set([high0, low0, high1, low1, high2, low2, high3, low3]);
    this.#used = 0;
  }
}

/**
 * @param {bigint} number 0 to 2^64 - 1
 * @returns {[number, number]} its high and its low 32 bits
 * @throws {RangeError} it is another
 */
function halves(number) {
  if (number >> 64n) {
    throw new RangeError(`found ${number}, expected a whole number from 0 to 2^64 - 1`);
  }
  return [Number(number >> 32n), Number(number & 0xffffffffn)];
}

/**
 * Multiply two numbers of 64 bits, given as halves.
 *
 * @param {number} aHigh
 * @param {number} aLow
 * @param {number} bHigh
 * @param {number} bLow
 * @param {Uint32Array} product takes the four quarters of the result, the highest first
 */
function multiply(aHigh, aLow, bHigh, bLow, product) {
  const low = Math.imul(aLow, bLow) >>> 0;
  const cross0 = Math.imul(aLow, bHigh) >>> 0;
  const cross1 = Math.imul(aHigh, bLow) >>> 0;
  const high = Math.imul(aHigh, bHigh) >>> 0;
  const second = over(aLow, bLow, low) + cross0 + cross1;
  const third =
    over(aLow, bHigh, cross0) + over(aHigh, bLow, cross1) + high + Math.floor(second / TWO_32);
  product[0] = over(aHigh, bHigh, high) + Math.floor(third / TWO_32);
  product[1] = third;
  product[2] = second;
  product[3] = low;
}

/**
 * The high 32 bits of a product of two numbers of 32, of which the low ones are known: the float64
 * product is off by less than 2^11, and so the rounding finds them.
 *
 * @param {number} a
 * @param {number} b
 * @param {number} low
 * @returns {number}
 */
function over(a, b, low) {
  return Math.round((a * b - low) / TWO_32);
}

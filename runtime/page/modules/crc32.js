/** The check sum of PNG and gzip: CRC-32 (ISO 3309). */

const TABLE = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

/**
 * @param {Uint8Array} bytes
 * @returns {number} 0 to 2**32 - 1
 */
export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  }
  return ~value >>> 0;
}

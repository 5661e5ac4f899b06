/**
 * A piece of a file on the wire: version 0, three bytes reserved, its number and the CRC-32 (IEEE) of what follows,
 * both 32 bits little-endian, then the bytes.
 */

export const CHUNK = 60_000; // bytes, as the old client in Chrome
export const CHUNK_LIMIT = 262_144; // bytes: the largest message every browser takes
const HEADER = 12;

export interface Chunk {
  index: number;
  bytes: Uint8Array<ArrayBuffer>;
}

export function encodeChunk(index: number, bytes: Uint8Array): ArrayBuffer {
  const frame = new Uint8Array(HEADER + bytes.length);
  const header = new DataView(frame.buffer);
  header.setUint32(4, index, true);
  header.setUint32(8, crc32(bytes), true);
  frame.set(bytes, HEADER);
  return frame.buffer;
}

/** undefined: no chunk, or one that was damaged. */
export function decodeChunk(frame: ArrayBuffer): Chunk | undefined {
  if (frame.byteLength < HEADER || frame.byteLength > HEADER + CHUNK_LIMIT) return undefined;
  const header = new DataView(frame);
  if (header.getUint8(0) !== 0) return undefined;
  const bytes = new Uint8Array(frame, HEADER);
  return header.getUint32(8, true) === crc32(bytes) ? { index: header.getUint32(4, true), bytes } : undefined;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

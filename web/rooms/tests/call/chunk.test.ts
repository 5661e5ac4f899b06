import { expect, it } from "vitest";
import { CHUNK_LIMIT, crc32, decodeChunk, encodeChunk } from "../../src/call/chunk";

const bytes = (text: string) => new TextEncoder().encode(text);

it("has the checksum of the book", () => {
  expect(crc32(bytes("123456789"))).toBe(0xcbf43926);
  expect(crc32(bytes(""))).toBe(0);
});

it("writes version, number and checksum, little-endian", () => {
  const frame = new Uint8Array(encodeChunk(258, bytes("123456789")));
  expect([...frame.slice(0, 12)]).toEqual([0, 0, 0, 0, 2, 1, 0, 0, 0x26, 0x39, 0xf4, 0xcb]);
  expect(decodeChunk(frame.buffer)).toEqual({ index: 258, bytes: bytes("123456789") });
});

it("takes no damaged, short, long or foreign piece", () => {
  const frame = new Uint8Array(encodeChunk(1, bytes("hello")));
  frame[14]! ^= 1;
  expect(decodeChunk(frame.buffer)).toBeUndefined();
  expect(decodeChunk(new ArrayBuffer(11))).toBeUndefined();
  expect(decodeChunk(new ArrayBuffer(CHUNK_LIMIT + 13))).toBeUndefined();
  const other = new Uint8Array(encodeChunk(1, bytes("hello")));
  other[0] = 1;
  expect(decodeChunk(other.buffer)).toBeUndefined();
});

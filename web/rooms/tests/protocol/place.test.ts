import { expect, it } from "vitest";
import { pathOf, roomOf } from "../../src/protocol/place";

it("reads a room's name from its address, and writes it back", () => {
  for (const [path, base, room] of [
    ["/tea", "/", "tea"],
    ["/", "/", ""],
    ["/rooms/tea%20time", "/rooms/", "tea time"],
    ["/rooms/tea/one", "/rooms/", "tea/one"],
    ["/%C3%A9t%C3%A9%3F", "/", "été?"],
  ] as const) {
    expect(roomOf(path, base)).toBe(room);
    expect(pathOf(room, base)).toBe(path);
  }
});

it("takes a broken escape for no room", () => {
  expect(roomOf("/%E0%A4%A", "/")).toBe("");
});

import { expect, it } from "vitest";
import { cleanName, initials, presence } from "../../src/call/presence";
import * as roster from "../../src/call/roster";
import type { Session } from "../../src/protocol/documents";

const session = (id: string, name = id, ua = "headgate (Chrome 1)"): Session => ({ id, userid: "", ua, status: { displayName: name } });

it("shows everybody but ourselves, in the order in which they came", () => {
  let now = roster.welcome([session("b"), session("me"), session("a")], "me");
  now = roster.joined(now, session("c"), "me");
  expect([...now.keys()]).toEqual(["b", "a", "c"]);
  now = roster.welcome([session("c"), session("d"), session("a")], "me", now);
  expect([...now.keys()]).toEqual(["a", "c", "d"]);
  expect([...roster.left(now, "c").keys()]).toEqual(["a", "d"]);
});

it("is as it was when nothing changes", () => {
  const now = roster.welcome([session("b")], "me");
  expect(roster.left(now, "x")).toBe(now);
  expect(roster.joined(now, session("me"), "me")).toBe(now);
  expect(roster.status(now, "x", {}, "")).toBe(now);
});

it("knows who is away and who is missing, until they join again", () => {
  let now = roster.welcome([session("b")], "me");
  const state = { away: ["b"] } as Parameters<typeof roster.away>[1];
  now = roster.away(now, state);
  expect(now.get("b")?.away).toBe(true);
  now = roster.missing(now, now.get("b")!);
  now = roster.joined(now, session("b"), "me");
  expect(now.get("b")).toMatchObject({ away: false, missing: false });
});

it("calls only its own kind unasked", () => {
  expect(roster.answersUnasked(roster.participant(session("a")))).toBe(true);
  expect(roster.answersUnasked(roster.participant(session("a", "A", "Chrome 57")))).toBe(false);
});

it("reads a Status that says anything", () => {
  for (const status of [null, 5, "x", [], { displayName: 7, buddyPicture: {}, audio: "no" }]) {
    expect(presence(status)).toEqual({ name: "Guest", picture: "", audio: true, video: true });
  }
  expect(presence({ displayName: "A", buddyPicture: "javascript:1" }).picture).toBe("");
  expect(presence({ displayName: "A", audio: false, video: false })).toMatchObject({ audio: false, video: false });
});

it("lets no name rewrite the text around it", () => {
  expect(cleanName("  Ada\u202e\n\u0000 L. ")).toBe("Ada L.");
  expect([...cleanName("😀".repeat(100))]).toHaveLength(60);
  expect(initials("Ada King Lovelace")).toBe("AL");
  expect(initials("😀 b")).toBe("😀B");
});

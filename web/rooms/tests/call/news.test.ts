import { expect, it } from "vitest";
import { news } from "../../src/call/news";
import { fresh, troubles } from "../../src/call/trouble";
import { roomState } from "../../src/protocol/decode";

const told = (before: object | undefined, now: object) =>
  news(before && roomState(before), roomState(now), "self", (id) => id.toUpperCase());

it("says who waits and who raises a hand, once, and not of oneself", () => {
  const now = { Hands: ["self", "ada"], Waiting: [{ Id: "grace" }] };
  expect(told({}, now)).toEqual(["GRACE waits to be let in", "ADA raises a hand"]);
  expect(told(now, now)).toEqual([]);
});

it("says what a moderator has changed, to who is concerned", () => {
  expect(told({}, { Locked: true })).toEqual(["The room is locked: nobody new comes in."]);
  expect(told({ Lobby: true }, {})).toEqual(["There is no lobby any more."]);
  expect(told({}, { Limit: 2 })).toEqual([]);
  expect(told({ Moderators: ["self"] }, { Moderators: ["self"], Limit: 2 })).toEqual(["At most 2 people may be in the room."]);
  expect(told({}, { Moderators: ["self"] })).toEqual(["You are a moderator now."]);
  expect(told({}, { Muted: { self: ["audio"], ada: ["chat"] } })).toEqual(["A moderator has muted your microphone."]);
  expect(told({ Muted: { self: ["screen"] } }, {})).toEqual(["You may share your screen again."]);
});

it("says of a room one comes into only what one has to know", () => {
  expect(told(undefined, { Locked: true, Moderators: ["self"] })).toEqual([]);
  expect(told(undefined, { History: true })).toEqual(["What is written in this room is kept for who comes later."]);
});

it("says what is wrong with devices in as few sentences as it takes, and once", () => {
  expect(troubles({})).toEqual([]);
  expect(troubles({ audio: "denied", video: "denied" })).toHaveLength(1);
  expect(troubles({ audio: "missing", video: "busy" })).toHaveLength(2);
  expect(fresh({ audio: "denied" }, { audio: "denied", video: "busy" })).toEqual({ audio: undefined, video: "busy" });
});

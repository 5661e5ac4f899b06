/** What a change of a room's state means to one person in it, in words. Pure. */

import type { Id, RoomState } from "../protocol/documents";

const MUTED = {
  audio: ["A moderator has muted your microphone.", "You may speak again."],
  video: ["A moderator has switched your camera off.", "You may show yourself again."],
  screen: ["A moderator has ended your screen.", "You may share your screen again."],
  chat: ["A moderator does not let you write.", "You may write again."],
} as const;

const KEPT = "What is written in this room is kept for who comes later.";

const SETTINGS = [
  { key: "locked", on: "The room is locked: nobody new comes in.", off: "The room is open again." },
  { key: "lobby", on: "There is a lobby now: a moderator lets people in.", off: "There is no lobby any more." },
  { key: "history", on: KEPT, off: "The chat is not kept any more." },
] as const;

/** `before` undefined: we have just come in. */
export function news(before: RoomState | undefined, now: RoomState, self: Id, nameOf: (id: Id) => string): string[] {
  const told: string[] = [];
  const waited = new Set(before?.waiting.map((one) => one.id));
  const raised = new Set(before?.hands);
  for (const one of now.waiting) if (!waited.has(one.id)) told.push(`${nameOf(one.id)} waits to be let in`);
  for (const id of now.hands) if (id !== self && !raised.has(id)) told.push(`${nameOf(id)} raises a hand`);
  if (before && now.moderators.includes(self) && !before.moderators.includes(self)) told.push("You are a moderator now.");
  for (const { key, on, off } of SETTINGS) {
    if (before && now[key] !== before[key]) told.push(now[key] ? on : off);
  }
  // Who comes into a room that keeps its chat is to know it before they write.
  if (!before && now.history) told.push(KEPT);
  if (before && now.limit !== before.limit && now.moderators.includes(self)) {
    told.push(now.limit ? `At most ${now.limit} people may be in the room.` : "The room takes as many people as the server allows.");
  }
  for (const medium of ["audio", "video", "screen", "chat"] as const) {
    const is = now.muted[self]?.includes(medium) === true;
    const was = before?.muted[self]?.includes(medium) === true;
    if (is !== was) told.push(MUTED[medium][is ? 0 : 1]);
  }
  return told;
}

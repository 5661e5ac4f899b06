/** What a change of a room's state means to one person in it, in words. Pure. */

import type { Id, RoomState } from "../protocol/documents";

const MUTED = {
  audio: ["A moderator has muted your microphone.", "You may speak again."],
  video: ["A moderator has switched your camera off.", "You may show yourself again."],
  screen: ["A moderator has ended your screen.", "You may share your screen again."],
  chat: ["A moderator does not let you write.", "You may write again."],
} as const;

/** `before` undefined: we have just come in. */
export function news(before: RoomState | undefined, now: RoomState, self: Id, nameOf: (id: Id) => string): string[] {
  const told: string[] = [];
  const waited = new Set(before?.waiting.map((one) => one.id));
  const raised = new Set(before?.hands);
  for (const one of now.waiting) if (!waited.has(one.id)) told.push(`${nameOf(one.id)} waits to be let in`);
  for (const id of now.hands) if (id !== self && !raised.has(id)) told.push(`${nameOf(id)} raises a hand`);
  if (before && now.moderators.includes(self) && !before.moderators.includes(self)) told.push("You are a moderator now.");
  for (const medium of ["audio", "video", "screen", "chat"] as const) {
    const is = now.muted[self]?.includes(medium) === true;
    const was = before?.muted[self]?.includes(medium) === true;
    if (is !== was) told.push(MUTED[medium][is ? 0 : 1]);
  }
  return told;
}

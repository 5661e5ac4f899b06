/** What one can do about a participant. */

import { answersUnasked, type Participant } from "../call/roster";
import type { Room } from "../call/room";
import type { Item } from "./menu";

export interface Wishes {
  write(id: string): void;
  pin?: ((id: string) => void) | undefined;
  pinned?: boolean;
}

export function actions(room: Room, one: Participant, wishes: Wishes): Item[] {
  const { id, name } = one;
  const items: Item[] = [];
  if (wishes.pin) items.push({ label: wishes.pinned ? "Unpin" : "Pin to the stage", act: () => wishes.pin?.(id) });
  items.push({ label: "Write privately", act: () => wishes.write(id) });
  if (!answersUnasked(one) && !room.mesh.peers.has(id)) items.push({ label: "Call", act: () => room.mesh.call(id) });
  if (one.userid && room.view.get().userid) items.push({ label: "Ask to be contacts", act: () => room.people.invite(id) });
  if (!room.moderator()) return items;
  const { state } = room.view.get();
  for (const [medium, words] of MEDIA) {
    const muted = room.muted(medium, id);
    items.push({ label: words[muted ? 1 : 0], act: () => void room.controls.act({ Action: muted ? "unmute" : "mute", Id: id, Media: medium }) });
  }
  if (state?.hands.includes(id)) items.push({ label: "Lower the hand", act: () => void room.controls.act({ Action: "lower", Id: id }) });
  const moderates = room.moderator(id);
  items.push({
    label: moderates ? "Take moderation away" : "Make a moderator",
    act: () => void room.controls.act({ Action: moderates ? "demote" : "promote", Id: id }),
  });
  items.push({ label: `Remove ${name}`, danger: true, act: () => void room.controls.act({ Action: "remove", Id: id }) });
  return items;
}

const MEDIA = [
  ["audio", ["Mute", "Allow to speak"]],
  ["video", ["Switch the camera off", "Allow the camera"]],
  ["screen", ["End and forbid the screen", "Allow the screen"]],
  ["chat", ["Forbid to write", "Allow to write"]],
] as const;

/** What the page shows of a room: one value, replaced whenever something of it changes. */

import type { Link } from "../protocol/channel";
import type { Id, RoomName, RoomState } from "../protocol/documents";
import type { Refusal } from "./refusal";
import { EMPTY, type Roster, participant } from "./roster";

export type Phase = "outside" | "joining" | "pin" | "waiting" | "inside" | "refused" | "removed" | "left";

export interface RoomView {
  phase: Phase;
  refusal: Refusal | undefined;
  link: Link;
  self: Id;
  userid: string;
  room: RoomName;
  roster: Roster;
  state: RoomState | undefined;
  /** Goes up when a call, a screen or a transfer changed, which are read where they are. */
  pulse: number;
}

export function outside(room: RoomName): RoomView {
  return {
    phase: "outside",
    refusal: undefined,
    link: "closed",
    self: "",
    userid: "",
    room,
    roster: EMPTY,
    state: undefined,
    pulse: 0,
  };
}

/** What somebody in the room, or waiting before it, is called. */
export function nameOf({ roster, state }: RoomView, id: Id): string {
  const known = roster.get(id) ?? state?.waiting.filter((one) => one.id === id).map(participant)[0];
  return known?.name ?? "Somebody";
}

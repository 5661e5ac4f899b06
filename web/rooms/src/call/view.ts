/** What the page shows of a room: one value, replaced whenever something of it changes. */

import type { Link } from "../protocol/channel";
import type { Id, RoomName, RoomState } from "../protocol/documents";
import type { Refusal } from "./refusal";
import { EMPTY, type Roster, participant } from "./roster";

export type Phase = "outside" | "pin" | "waiting" | "inside" | "refused" | "removed" | "left";

export interface RoomView {
  phase: Phase;
  /** We have asked to come in, and wait for the answer. */
  entering: boolean;
  refusal: Refusal | undefined;
  link: Link;
  /** The last try to reach the server failed; the next one is on its way. */
  unreachable: boolean;
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
    entering: false,
    refusal: undefined,
    link: "closed",
    unreachable: false,
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

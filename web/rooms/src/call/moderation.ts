/** What a moderator, or somebody with a raised hand, says to the server. */

import type { Id, Medium, Outgoing } from "../protocol/documents";

export type Action =
  | { Action: "admit" | "deny" | "lower" | "promote" | "demote"; Id: Id }
  | { Action: "remove"; Id: Id; Reason?: string }
  | { Action: "mute" | "unmute"; Id: Id; Media: Medium }
  | { Action: "settings"; Locked?: boolean; Lobby?: boolean; Limit?: number; History?: boolean }
  | { Action: "close"; Reason?: string }
  | { Action: "breakout"; Rooms: { Label: string; Ids: Id[] }[] }
  | { Action: "gather" };

export function moderate(action: Action): Outgoing {
  return { Type: "Moderate", Moderate: action };
}

export function hand(raised: boolean): Outgoing {
  return { Type: "Hand", Hand: { Raised: raised } };
}

/** Deal people out to so many rooms, as evenly as it goes, in a random order. */
export function deal(ids: readonly Id[], rooms: number, random: () => number = Math.random): { Label: string; Ids: Id[] }[] {
  const shuffled = [...ids];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as Id, shuffled[last] as Id];
  }
  return Array.from({ length: rooms }, (_, room) => ({
    Label: `Group ${room + 1}`,
    Ids: shuffled.filter((_, index) => index % rooms === room),
  }));
}

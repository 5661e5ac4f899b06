/** Who is in the room, from the documents that say so. Pure: a roster and a document in, a roster out. */

import type { Id, RoomState, Session } from "../protocol/documents";
import { type Presence, presence } from "./presence";

export interface Participant extends Presence {
  id: Id;
  userid: string;
  ua: string;
  /** Its socket is lost; its room is kept for it for a while. */
  away: boolean;
  /** The server does not know it (any more), but its call stands: it may be on its way back. */
  missing: boolean;
}

/** In the order in which they came. */
export type Roster = ReadonlyMap<Id, Participant>;

export const EMPTY: Roster = new Map();

export function welcome(users: readonly Session[], self: Id, before: Roster = EMPTY): Roster {
  const roster = new Map<Id, Participant>();
  const present = new Set(users.map((user) => user.id));
  // Who was here keeps its place.
  const ordered = [...before.keys()].filter((id) => present.has(id));
  const byId = new Map(users.map((user) => [user.id, user]));
  for (const id of new Set([...ordered, ...present])) {
    const user = byId.get(id);
    if (user && id !== self) roster.set(id, participant(user));
  }
  return roster;
}

export function joined(roster: Roster, session: Session, self: Id): Roster {
  if (!session.id || session.id === self) return roster;
  return new Map(roster).set(session.id, participant(session));
}

export function left(roster: Roster, id: Id): Roster {
  if (!roster.has(id)) return roster;
  const next = new Map(roster);
  next.delete(id);
  return next;
}

export function missing(roster: Roster, one: Participant): Roster {
  return new Map(roster).set(one.id, { ...one, missing: true });
}

export function status(roster: Roster, id: Id, value: unknown, userid: string): Roster {
  const one = roster.get(id);
  return one ? new Map(roster).set(id, { ...one, ...presence(value), userid: userid || one.userid }) : roster;
}

export function away(roster: Roster, state: RoomState): Roster {
  const gone = new Set(state.away);
  if ([...roster.values()].every((one) => one.away === gone.has(one.id))) return roster;
  return new Map([...roster].map(([id, one]) => [id, { ...one, away: gone.has(id) }]));
}

export function participant(session: Session): Participant {
  return { id: session.id, userid: session.userid, ua: session.ua, away: false, missing: false, ...presence(session.status) };
}

/** Clients of our own kind call each other by themselves; an older one would ring. */
export function answersUnasked(one: Participant): boolean {
  return one.ua.startsWith("headgate");
}

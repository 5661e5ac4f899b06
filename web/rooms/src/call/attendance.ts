/** Who is in the room, also while the server does not know: a call that stands outlives its list. */

import type { Id, Incoming, Session } from "../protocol/documents";
import type { Value } from "../value";
import * as roster from "./roster";
import { type RoomView, nameOf } from "./view";

const GOING = 1_500; // ms in which a server that ends closes our socket too, after it has said that others left
const COMING = 15_000; // ms in which others come back to a server that was gone

export interface AttendanceEvents {
  /** Whether sound and pictures of this one come. */
  flows(id: Id): boolean;
  /** It is gone: so is all that belongs to it. */
  gone(id: Id): void;
  tell(text: string): void;
}

export class Attendance {
  constructor(
    private readonly view: Value<RoomView>,
    private readonly events: AttendanceEvents,
  ) {}

  /** Who is there as we come in. */
  welcome(users: readonly Session[]): roster.Roster {
    const { self, roster: before } = this.view.get();
    let now = roster.welcome(users, self, before);
    // A server that starts anew knows nobody yet: those we talk with are about to tell it.
    for (const one of before.values()) if (!now.has(one.id) && this.events.flows(one.id)) now = roster.missing(now, one);
    setTimeout(() => this.dropMissing(), COMING);
    return now;
  }

  /** Who is there by the server's word, after a loss. */
  listed(users: readonly Session[]): void {
    const { self, roster: before, state } = this.view.get();
    const now = roster.welcome(users, self, before);
    for (const id of before.keys()) if (!now.has(id)) this.gone(id);
    this.set(state ? roster.away(now, state) : now);
  }

  joined(session: Session): void {
    const { self, roster: before } = this.view.get();
    this.set(roster.joined(before, session, self));
    if (!before.has(session.id)) this.events.tell(`${nameOf(this.view.get(), session.id)} has joined`);
  }

  left({ id, hard }: Extract<Incoming, { type: "Left" }>): void {
    const one = this.view.get().roster.get(id);
    if (!hard || !this.events.flows(id)) return this.gone(id);
    if (!one) return;
    this.set(roster.missing(this.view.get().roster, one));
    setTimeout(() => this.dropMissing(), GOING);
  }

  status({ id, status, userid }: Extract<Incoming, { type: "Status" }>): void {
    this.set(roster.status(this.view.get().roster, id, status, userid));
  }

  /** Without the server nobody is dropped: it may be the one that went. */
  private dropMissing(): void {
    const { link, phase, roster: now } = this.view.get();
    if (link !== "open" || phase !== "inside") return;
    for (const one of now.values()) if (one.missing) this.gone(one.id);
  }

  private gone(id: Id): void {
    const one = this.view.get().roster.get(id);
    if (one) this.events.tell(`${one.name} has left`);
    this.events.gone(id);
    this.set(roster.left(this.view.get().roster, id));
  }

  private set(now: roster.Roster): void {
    this.view.update((view) => ({ ...view, roster: now }));
  }
}

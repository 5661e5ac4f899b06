/** The way into a room: Hello and what is answered to it, PINs, and coming back after a loss. */

import type { Channel } from "../protocol/channel";
import type { Incoming, RoomName, Session } from "../protocol/documents";
import { type Refusal, refusal } from "./refusal";

export interface EntranceEvents {
  /** A Hello is about to be said: what others see of us goes first. */
  greet(): void;
  inside(welcome: Extract<Incoming, { type: "Welcome" }>): void;
  waiting(): void;
  refused(why: Refusal): void;
  /** We are where we were; these are there. */
  back(users: Session[]): void;
}

export class Entrance {
  /** The room of the page's address. */
  private readonly home: RoomName;
  /** By the rooms' names: a breakout room has none, or another. */
  private readonly pins = new Map<string, string>();
  private resumed = false;

  constructor(
    /** The room we are in or want to be in; its type may be "": the server's choice. */
    public place: RoomName,
    private readonly channel: Channel,
    private readonly events: EntranceEvents,
  ) {
    this.home = place;
  }

  /** Whoever comes in next does so by the page's address: a breakout room may be closed by then. */
  goHome(): void {
    this.place = this.home;
  }

  /** What opens the door of the room we are in or want to be in; undefined: nothing. */
  carry(pin: string | undefined): void {
    if (pin === undefined) this.pins.delete(this.place.name);
    else this.pins.set(this.place.name, pin);
  }

  /** A new socket is there. `Resumed` is about to come, if `resumes` and the server still has our place. */
  opening(): void {
    this.resumed = false;
  }

  hasResumed(): void {
    this.resumed = true;
  }

  async comeIn(resumes: boolean): Promise<void> {
    if (!resumes) return this.hello();
    // `Resumed` comes before any answer, or not at all.
    const users = await this.channel.ask({ Type: "Users" });
    if (this.resumed && users.type === "Users") return this.events.back(users.users);
    if (users.type === "Error" && users.code === "lost") return;
    return this.hello();
  }

  async hello(): Promise<void> {
    const pin = this.pins.get(this.place.name);
    this.channel.forget();
    this.events.greet();
    const answer = await this.channel.ask({
      Type: "Hello",
      Hello: {
        Version: "1.0.0",
        Ua: `headgate (${browser()})`,
        Name: this.place.name,
        Type: this.place.type,
        ...(pin === undefined ? {} : { Credentials: { PIN: pin } }),
        Extensions: ["state", "resume"],
      },
    });
    if (answer.type === "Welcome") this.events.inside(answer);
    else if (answer.type === "Waiting") this.events.waiting();
    else if (answer.type === "Error") this.refused(answer.code, answer.message);
  }

  /** A `Hello` was answered, at once or after some waiting, with no. */
  refused(code: string, message: string): void {
    if (code === "lost") return; // the next socket says Hello again
    if (code === "not_invited" && this.place.name !== this.home.name) {
      this.goHome();
      return void this.hello();
    }
    const why = refusal(code, message);
    if (why.door !== "retry-without-pin") return this.events.refused(why);
    this.carry(undefined);
    void this.hello();
  }
}

function browser(): string {
  const known = /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(navigator.userAgent);
  return known ? `${known[1] === "Version" ? "Safari" : known[1]} ${known[2]}` : "browser";
}

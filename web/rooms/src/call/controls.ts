/** What a person asks the server to do with the room, and what it says to that. */

import type { Incoming, Outgoing, RoomName, RoomState } from "../protocol/documents";
import { type Action, hand, moderate } from "./moderation";
import { complaint } from "./refusal";

export interface ControlEvents {
  ask(document: Outgoing): Promise<Incoming>;
  moderated(state: RoomState): void;
  /** The PIN that opens this room from now on; undefined: none is asked for. */
  pin(pin: string | undefined): void;
  tell(text: string): void;
}

export class Controls {
  constructor(private readonly events: ControlEvents) {}

  async act(action: Action): Promise<void> {
    this.answered(await this.events.ask(moderate(action)));
  }

  async raise(raised: boolean): Promise<void> {
    this.answered(await this.events.ask(hand(raised)));
  }

  /** "" takes the PIN away. */
  async setPin({ type, name }: RoomName, pin: string): Promise<void> {
    const answer = await this.events.ask({ Type: "Room", Room: { Type: type, Name: name, Credentials: { PIN: pin } } });
    if (answer.type === "Error") return this.answered(answer);
    this.events.pin(pin || undefined);
    this.events.tell(pin ? "The room has a new PIN." : "The room has no PIN any more.");
  }

  private answered(answer: Incoming): void {
    if (answer.type === "State") this.events.moderated(answer.state);
    else if (answer.type === "Error") this.events.tell(complaint(answer.code) ?? answer.message);
  }
}

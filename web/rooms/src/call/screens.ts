/** Screens: the one we show, and those that others show us. */

import type { Id } from "../protocol/documents";
import type { Side, Sides } from "./side";

const TRIES = 5; // to see a screen whose connection broke

export interface ScreenEvents {
  /** Tell every peer that a screen can be had under this token. */
  announce(token: string): void;
  changed(): void;
}

export interface Shown {
  token: string;
  stream: MediaStream;
}

export class Screens {
  own: MediaStream | undefined;
  readonly others = new Map<Id, Shown>();
  private token = "";
  private counter = 0;
  private readonly views = new Map<Id, Side>();

  constructor(
    private readonly self: () => Id,
    private readonly sides: Sides,
    private readonly events: ScreenEvents,
  ) {}

  /** Show what the person picks. Throws what `getDisplayMedia` does, also when they pick nothing. */
  async share(): Promise<void> {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 30 } }, audio: true });
    this.stop();
    this.own = stream;
    this.token = `screenshare_${this.self()}_${++this.counter}`;
    for (const track of stream.getVideoTracks()) {
      track.contentHint = "detail"; // text on a screen is to be sharp rather than smooth
      track.onended = () => this.stop();
    }
    this.sides.serve(this.token, { prepare: (side) => this.hand(side, stream) });
    this.events.announce(this.token);
    this.events.changed();
  }

  stop(): void {
    if (!this.own) return;
    for (const track of this.own.getTracks()) track.stop();
    this.own = undefined;
    this.sides.withdraw(this.token);
    this.token = "";
    this.events.changed();
  }

  /** What a peer whose channel has just opened wants to hear. */
  get announced(): string {
    return this.token;
  }

  /** A peer announces its screen: look at it. */
  view(id: Id, token: string): void {
    if (this.others.get(id)?.token !== token) this.reach(id, token, TRIES);
  }

  drop(id: Id): void {
    this.views.get(id)?.close();
  }

  private reach(id: Id, token: string, tries: number): void {
    this.views.get(id)?.close();
    const stream = new MediaStream();
    let seen = false;
    const side = this.sides.reach(id, token, {
      track: (_, track) => {
        seen = true;
        stream.addTrack(track);
        this.others.set(id, { token, stream });
        this.events.changed();
      },
      closed: (closed) => {
        if (this.views.get(id) !== closed) return;
        this.views.delete(id);
        this.others.delete(id);
        this.events.changed();
        // A connection that failed is tried again; one that was ended is not.
        if (closed.broke && seen && tries > 0) this.reach(id, token, tries - 1);
      },
    });
    if (!side) return;
    this.views.set(id, side);
    side.pc.addTransceiver("video", { direction: "recvonly" });
    side.pc.addTransceiver("audio", { direction: "recvonly" });
    void side.offer();
  }

  private async hand(side: Side, stream: MediaStream): Promise<void> {
    for (const track of stream.getTracks()) {
      const line = side.pc.getTransceivers().find((one) => one.receiver.track.kind === track.kind && !one.sender.track);
      if (!line) continue;
      await line.sender.replaceTrack(track);
      line.sender.setStreams?.(stream);
      line.direction = "sendonly";
    }
  }
}

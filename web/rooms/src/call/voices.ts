/** Who talks: by what comes from the others, and by our own microphone. */

import type { Id } from "../protocol/documents";
import { Value } from "../value";
import { Meter } from "./meter";
import type { Peer } from "./peer";

const LISTEN = 70; // ms between looks: no part of a half second, or a short sound in a steady beat could fall between all of them
const TALKS_FOR = 800; // ms after the last loud moment: speech has pauses
const LOUD = 0.02; // of full scale

export interface VoicesEvents {
  self(): Id;
  peers(): ReadonlyMap<Id, Peer>;
  muted(id: Id): boolean;
  /** We have begun, or ended, to talk. */
  spoke(speaks: boolean): void;
}

export class Voices {
  readonly talking = new Value<ReadonlySet<Id>>(new Set());
  private readonly loudAt = new WeakMap<Peer, number>();
  private meter: Meter | undefined;
  private microphone: MediaStreamTrack | null = null;
  private spoke = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly events: VoicesEvents) {}

  start(): void {
    this.timer ??= setInterval(() => this.listen(), LISTEN);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.talking.set(new Set());
  }

  /** Our microphone is this one from now on. */
  take(microphone: MediaStreamTrack | null): void {
    if (microphone === this.microphone) return;
    this.meter?.close();
    this.microphone = microphone;
    this.meter = microphone ? new Meter(microphone) : undefined;
  }

  /** How loud our microphone is, 0 to 1. */
  level(): number {
    return this.microphone?.enabled ? (this.meter?.level() ?? 0) : 0;
  }

  private listen(): void {
    const now = performance.now();
    const talking = new Set<Id>();
    for (const [id, peer] of this.events.peers()) {
      if (peer.level() > LOUD) this.loudAt.set(peer, now);
      if (now - (this.loudAt.get(peer) ?? -Infinity) < TALKS_FOR && !this.events.muted(id)) talking.add(id);
    }
    const self = this.events.self();
    const speaks = this.microphone?.enabled === true && !this.events.muted(self) && this.meter?.talking() === true;
    if (speaks) talking.add(self);
    if (speaks !== this.spoke) this.events.spoke(speaks);
    this.spoke = speaks;
    const before = this.talking.get();
    if (talking.size !== before.size || [...talking].some((id) => !before.has(id))) this.talking.set(talking);
  }
}

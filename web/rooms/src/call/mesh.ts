/** Every call of this page: who is called, who calls, and what is done when one breaks. */

import type { Id, Incoming, Outgoing } from "../protocol/documents";
import { nested } from "../protocol/documents";
import { budget } from "./budget";
import { type LocalTracks, Peer, type PeerEvents } from "./peer";
import { givesWay, offersTo } from "./rules";

const LOOK = 2_000; // ms between looks at the statistics
const RESTART_AFTER = 3_000; // ms of trouble; a change of network heals by itself in less
const RENEW_AFTER = 25_000; // ms of trouble: start over
const CALL_LIMIT = 32; // a mesh of more serves nobody, and each call costs memory

export interface MeshEvents {
  send(document: Outgoing): void;
  /** Something to show has changed. */
  changed(): void;
  connected(id: Id): void;
  opened(id: Id): void;
  inner(id: Id, text: string): void;
  /** Whether a call of this participant may be made anew by us. */
  ours(id: Id): boolean;
  /** Whether this one may call us; others are told that we are busy. */
  admits(id: Id): boolean;
}

export class Mesh {
  readonly peers = new Map<Id, Peer>();
  /** Conferences we are part of: their offers are taken unasked. */
  private readonly conferences = new Map<Id, string>();
  private readonly restarted = new Map<Id, number>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly peerEvents: PeerEvents;

  constructor(
    private readonly self: () => Id,
    private configuration: RTCConfiguration,
    private tracks: LocalTracks,
    private readonly events: MeshEvents,
  ) {
    this.peerEvents = {
      send: (document) => events.send(document),
      flow: (peer) => {
        events.changed();
        if (peer.flow === "connected") events.connected(peer.id);
      },
      stream: () => events.changed(),
      opened: (peer) => events.opened(peer.id),
      inner: (peer, text) => events.inner(peer.id, text),
    };
  }

  start(): void {
    this.timer ??= setInterval(() => void this.look(), LOOK);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    for (const id of [...this.peers.keys()]) this.drop(id);
    this.conferences.clear();
  }

  call(id: Id): void {
    this.peer(id)?.call(this.conferences.get(id));
  }

  /** A list of those who are in a conference: each calls those after itself. */
  confer(conference: string, ids: readonly Id[]): void {
    if (!ids.includes(this.self())) return;
    for (const id of ids.slice(0, CALL_LIMIT)) {
      if (id === this.self()) continue;
      this.conferences.set(id, conference);
      if (!this.peers.has(id) && offersTo(this.self(), id)) this.call(id);
    }
  }

  take(from: Id, data: Extract<Incoming, { type: "Offer" | "Answer" | "Candidate" | "Bye" }>): void {
    if (data.type === "Bye") return this.drop(from);
    if (data.type === "Offer") {
      if (!this.peers.has(from) && !this.events.admits(from)) {
        this.events.send(nested("Bye", { To: from, Bye: { Reason: "busy" } }));
        return;
      }
      this.peer(from)?.offered(data.sdp);
    } else if (data.type === "Answer") {
      this.peers.get(from)?.answered(data.sdp);
    } else {
      this.peers.get(from)?.candidate(data.candidate);
    }
  }

  /** End a call and say so. */
  hangUp(id: Id): void {
    if (!this.peers.has(id)) return;
    this.events.send(nested("Bye", { To: id, Bye: {} }));
    this.drop(id);
  }

  /** End a call whose other side is gone. */
  drop(id: Id): void {
    const peer = this.peers.get(id);
    if (!peer) return;
    this.peers.delete(id);
    this.restarted.delete(id);
    peer.close();
    this.share();
    this.events.changed();
  }

  setTracks(tracks: LocalTracks): void {
    this.tracks = tracks;
    for (const peer of this.peers.values()) peer.setTracks(tracks);
  }

  configure(configuration: RTCConfiguration): void {
    this.configuration = configuration;
    for (const peer of this.peers.values()) peer.configure(configuration);
  }

  tell(document: Outgoing): void {
    for (const peer of this.peers.values()) peer.tell(document);
  }

  /** The network or the room came back: calls that broke meanwhile look for a new way. */
  heal(): void {
    for (const peer of this.peers.values()) {
      if (peer.flow === "interrupted" || peer.flow === "failed") this.restart(peer);
    }
  }

  private peer(id: Id): Peer | undefined {
    const known = this.peers.get(id);
    if (known || this.peers.size >= CALL_LIMIT) return known;
    const peer = new Peer(id, givesWay(this.self(), id), this.configuration, this.tracks, this.peerEvents);
    this.peers.set(id, peer);
    this.share();
    this.events.changed();
    return peer;
  }

  /** The upload is shared by however many there are now. */
  private share(): void {
    const each = budget(this.peers.size);
    for (const peer of this.peers.values()) peer.spend(each);
  }

  private async look(): Promise<void> {
    await Promise.all([...this.peers.values()].map((peer) => peer.measure().catch(() => undefined)));
    const now = performance.now();
    for (const peer of [...this.peers.values()]) {
      const trouble = peer.troubledSince === undefined ? 0 : now - peer.troubledSince;
      if (!this.events.ours(peer.id)) continue;
      if (trouble > RENEW_AFTER && offersTo(this.self(), peer.id)) this.renew(peer.id);
      else if (trouble > RESTART_AFTER && now - (this.restarted.get(peer.id) ?? 0) > 2 * RESTART_AFTER) {
        if (peer.flow !== "connecting" && offersTo(this.self(), peer.id)) this.restart(peer);
      }
    }
    this.events.changed();
  }

  private restart(peer: Peer): void {
    this.restarted.set(peer.id, performance.now());
    peer.restart();
  }

  /** Neither side's connection can be saved: both make a new one. */
  private renew(id: Id): void {
    this.hangUp(id);
    this.call(id);
  }
}

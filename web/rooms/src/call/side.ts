/** Connections beside a call: a file or a screen, each known to both sides by its token (`_token`, `_id`). */

import type { Id, Incoming, Outgoing, Tag } from "../protocol/documents";
import { nested } from "../protocol/documents";

const SIDE_LIMIT = 128; // open at once
const CANDIDATE_LIMIT = 128;
const OPEN_TIMEOUT = 30_000; // ms

export interface Handler {
  /** Before the answer is made: put tracks on the connection here. */
  prepare?(side: Side): void | Promise<void>;
  opened?(side: Side): void;
  text?(side: Side, message: unknown): void;
  binary?(side: Side, frame: ArrayBuffer): void;
  track?(side: Side, track: MediaStreamTrack): void;
  closed?(side: Side): void;
}

export class Side {
  readonly pc: RTCPeerConnection;
  channel: RTCDataChannel | undefined;
  /** It ended because the network failed, not because somebody ended it. */
  broke = false;
  private candidates: RTCIceCandidateInit[] = [];
  private described = false;
  private ended = false;
  private readonly timer: ReturnType<typeof setTimeout>;

  constructor(
    readonly peer: Id,
    readonly tag: Tag,
    configuration: RTCConfiguration,
    private readonly handler: Handler,
    private readonly sides: Sides,
  ) {
    this.pc = new RTCPeerConnection(configuration);
    this.pc.onicecandidate = ({ candidate }) => {
      if (!candidate?.candidate) return;
      const { sdpMLineIndex, sdpMid } = candidate;
      this.say("Candidate", { type: "candidate", sdpMLineIndex, sdpMid, candidate: candidate.candidate });
    };
    this.pc.onconnectionstatechange = () => {
      if (this.pc.connectionState === "failed") this.breaks();
    };
    this.timer = setTimeout(() => this.breaks(), OPEN_TIMEOUT);
    this.pc.ontrack = ({ track }) => handler.track?.(this, track);
    this.pc.ondatachannel = ({ channel }) => this.adopt(channel);
  }

  async offer(): Promise<void> {
    this.adopt(this.pc.createDataChannel("default", { ordered: true }));
    await this.pc.setLocalDescription();
    this.say("Offer", { type: "offer", sdp: this.pc.localDescription?.sdp });
  }

  async answer(sdp: string): Promise<void> {
    await this.pc.setRemoteDescription({ type: "offer", sdp });
    await this.handler.prepare?.(this);
    await this.pc.setLocalDescription();
    this.say("Answer", { type: "answer", sdp: this.pc.localDescription?.sdp });
    await this.heard();
  }

  async answered(sdp: string): Promise<void> {
    if (this.pc.signalingState !== "have-local-offer") return;
    await this.pc.setRemoteDescription({ type: "answer", sdp });
    await this.heard();
  }

  async candidate(candidate: RTCIceCandidateInit): Promise<void> {
    if (this.described) await this.pc.addIceCandidate(candidate);
    else if (this.candidates.length < CANDIDATE_LIMIT) this.candidates.push(candidate);
  }

  tell(message: Record<string, unknown>): void {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    this.sides.forget(this);
    this.pc.close();
    this.handler.closed?.(this);
  }

  private breaks(): void {
    this.broke = true;
    this.close();
  }

  private async heard(): Promise<void> {
    this.described = true;
    const waiting = this.candidates;
    this.candidates = [];
    for (const candidate of waiting) await this.pc.addIceCandidate(candidate).catch(() => undefined);
  }

  private adopt(channel: RTCDataChannel): void {
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onopen = () => {
      clearTimeout(this.timer);
      this.handler.opened?.(this);
    };
    channel.onclose = () => this.close();
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) return this.handler.binary?.(this, data);
      if (typeof data !== "string") return;
      const message = parse(data);
      if (message.m === "bye") this.close();
      else this.handler.text?.(this, message);
    };
  }

  private say(type: string, body: Record<string, unknown>): void {
    const { token, id } = this.tag;
    this.sides.send(nested(type, { To: this.peer, [type]: { ...body, _token: token, _id: id } }));
  }
}

export class Sides {
  private readonly open = new Map<string, Side>();
  private readonly served = new Map<string, Handler>();
  private counter = 0;

  constructor(
    readonly send: (document: Outgoing) => void,
    private configuration: () => RTCConfiguration,
  ) {}

  /** Answer whoever offers with this token. */
  serve(token: string, handler: Handler): void {
    this.served.set(token, handler);
  }

  /** Answer no more, and end what is open. */
  withdraw(token: string): void {
    this.served.delete(token);
    for (const side of [...this.open.values()]) {
      if (side.tag.token !== token) continue;
      side.tell({ m: "bye" });
      side.close();
    }
  }

  /** Offer to somebody who serves this token; undefined: too many are open. */
  reach(peer: Id, token: string, handler: Handler): Side | undefined {
    if (this.open.size >= SIDE_LIMIT) return undefined;
    const side = new Side(peer, { token, id: `${++this.counter}` }, this.configuration(), handler, this);
    this.open.set(key(peer, side.tag), side);
    return side;
  }

  take(from: Id, data: Extract<Incoming, { type: "Offer" | "Answer" | "Candidate" }>, tag: Tag): void {
    const known = this.open.get(key(from, tag));
    let step: Promise<void> | undefined;
    if (data.type === "Offer") step = known ? undefined : this.admit(from, tag)?.answer(data.sdp);
    else if (data.type === "Answer") step = known?.answered(data.sdp);
    else step = known?.candidate(data.candidate);
    step?.catch((error: unknown) => console.debug("side", tag.token.slice(0, 12), error));
  }

  /** Somebody is gone: so are the connections to it. */
  drop(peer: Id): void {
    for (const side of [...this.open.values()]) if (side.peer === peer) side.close();
  }

  stop(): void {
    this.served.clear();
    for (const side of [...this.open.values()]) side.close();
  }

  forget(side: Side): void {
    this.open.delete(key(side.peer, side.tag));
  }

  private admit(from: Id, tag: Tag): Side | undefined {
    const handler = this.served.get(tag.token);
    if (!handler || this.open.size >= SIDE_LIMIT) return undefined;
    const side = new Side(from, tag, this.configuration(), handler, this);
    this.open.set(key(from, tag), side);
    return side;
  }
}

function key(peer: Id, tag: Tag): string {
  return JSON.stringify([peer, tag.token, tag.id]);
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

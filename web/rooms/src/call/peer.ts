/** One call to one participant: sound and picture both ways, and the data channel "default". */

import type { Id, Outgoing } from "../protocol/documents";
import { nested } from "../protocol/documents";
import type { Budget } from "./budget";
import { type Grade, type Sample, UNKNOWN, grade, sample } from "./quality";

const CANDIDATE_LIMIT = 256; // that wait for the description they belong to
const INNER_LIMIT = 1 << 20; // characters of a document on the data channel

export type Flow = "connecting" | "connected" | "interrupted" | "failed";

export interface PeerEvents {
  send(document: Outgoing): void;
  flow(peer: Peer): void;
  stream(peer: Peer): void;
  opened(peer: Peer): void;
  inner(peer: Peer, text: string): void;
}

export interface LocalTracks {
  audio: MediaStreamTrack | null;
  video: MediaStreamTrack | null;
}

export class Peer {
  readonly stream = new MediaStream();
  flow: Flow = "connecting";
  grade: Grade = UNKNOWN;
  /** When the present trouble began, ms; undefined: there is none. */
  troubledSince: number | undefined = performance.now();

  private pc!: RTCPeerConnection;
  private channel: RTCDataChannel | undefined;
  private candidates: RTCIceCandidateInit[] = [];
  private described = false;
  private started = false;
  private offering = false;
  private before: Sample | undefined;
  private budget: Budget | undefined;
  /** Descriptions are worked off one by one, in the order they came. */
  private work: Promise<void> = Promise.resolve();
  private closed = false;
  /** The session the other side's descriptions are of. */
  private origin = "";

  constructor(
    readonly id: Id,
    private readonly polite: boolean,
    private configuration: RTCConfiguration,
    private tracks: LocalTracks,
    private readonly events: PeerEvents,
  ) {
    this.renew();
  }

  /** Call the other side. `conference` is the id of the conference this is part of. */
  call(conference?: string): void {
    this.queue(async () => {
      if (this.started) return;
      this.started = true;
      this.adopt(this.pc.createDataChannel("default", { ordered: true }));
      for (const kind of ["audio", "video"] as const) {
        this.pc.addTransceiver(this.tracks[kind] ?? kind, { direction: "sendrecv", streams: [this.outgoing] });
      }
      await this.offer(conference);
    });
  }

  /** Find a new way through the network for a call that has lost its own. */
  restart(): void {
    this.queue(async () => {
      if (!this.described || this.pc.signalingState !== "stable") return;
      this.pc.restartIce();
      await this.offer();
    });
  }

  offered(sdp: string): void {
    this.queue(async () => {
      // Another session: the other side has started over, as after a reload of its page.
      if (this.described && originOf(sdp) !== this.origin) {
        this.renew();
        this.flow = "connecting";
      }
      const collision = this.offering || this.pc.signalingState !== "stable";
      if (collision && !this.polite) return;
      // A first offer of ours that gives way leaves nothing behind; a later one is rolled back by the browser.
      if (collision && !this.described) this.renew();
      this.started = true;
      await this.pc.setRemoteDescription({ type: "offer", sdp });
      this.origin = originOf(sdp);
      await this.attach();
      await this.pc.setLocalDescription();
      this.say("Answer", { type: "answer", sdp: this.pc.localDescription?.sdp });
      await this.heard();
    });
  }

  answered(sdp: string): void {
    this.queue(async () => {
      if (this.pc.signalingState !== "have-local-offer") return;
      await this.pc.setRemoteDescription({ type: "answer", sdp });
      this.origin = originOf(sdp);
      await this.heard();
    });
  }

  candidate(candidate: RTCIceCandidateInit): void {
    this.queue(async () => {
      if (!this.described) {
        if (this.candidates.length < CANDIDATE_LIMIT) this.candidates.push(candidate);
        return;
      }
      await this.pc.addIceCandidate(candidate);
    });
  }

  /** Send other tracks; null sends nothing. No new description is needed. */
  setTracks(tracks: LocalTracks): void {
    this.tracks = tracks;
    this.queue(() => this.attach());
  }

  /** Send no more of the picture than this. */
  spend(budget: Budget): void {
    this.budget = budget;
    this.queue(() => this.limit());
  }

  configure(configuration: RTCConfiguration): void {
    this.configuration = configuration;
    this.pc.setConfiguration(configuration);
  }

  /** Send a document to the other browser; false: the channel is not open. */
  tell(document: Outgoing): boolean {
    if (this.channel?.readyState !== "open") return false;
    this.channel.send(JSON.stringify(document));
    return true;
  }

  /** How loud the other side is, 0 to 1. */
  level(): number {
    for (const receiver of this.pc.getReceivers()) {
      if (receiver.track.kind !== "audio") continue;
      const source = receiver.getSynchronizationSources()[0];
      if (source?.audioLevel !== undefined && performance.now() + performance.timeOrigin - source.timestamp < 1_000) return source.audioLevel;
    }
    return 0;
  }

  async measure(): Promise<void> {
    const report = await this.pc.getStats();
    const now = sample(report.values() as Iterable<Record<string, unknown>>, performance.now());
    this.grade =
      this.flow === "connected" ? (this.before ? grade(this.before, now) : UNKNOWN) : { ...UNKNOWN, quality: this.flow === "connecting" ? "unknown" : "lost" };
    this.before = now;
  }

  close(): void {
    this.closed = true;
    this.channel?.close();
    this.pc.close();
    for (const track of this.stream.getTracks()) this.stream.removeTrack(track);
  }

  private readonly outgoing = new MediaStream();

  private renew(): void {
    if (this.pc) {
      this.pc.onicecandidate = this.pc.onconnectionstatechange = this.pc.ontrack = this.pc.ondatachannel = null;
      this.pc.close();
    }
    const pc = new RTCPeerConnection(this.configuration);
    this.pc = pc;
    this.channel = undefined;
    this.described = this.started = false;
    this.before = undefined;
    pc.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) {
        const { sdpMLineIndex, sdpMid } = candidate;
        this.say("Candidate", { type: "candidate", sdpMLineIndex, sdpMid, candidate: candidate.candidate });
      }
    };
    pc.ontrack = ({ track }) => {
      for (const old of this.stream.getTracks()) if (old.kind === track.kind) this.stream.removeTrack(old);
      this.stream.addTrack(track);
      track.onmute = track.onunmute = () => this.events.stream(this);
      this.events.stream(this);
    };
    pc.ondatachannel = ({ channel }) => this.adopt(channel);
    pc.onconnectionstatechange = () => this.follow(pc.connectionState);
  }

  private follow(state: RTCPeerConnectionState): void {
    if (state === "connected") this.flow = "connected";
    else if (state === "disconnected") this.flow = "interrupted";
    else if (state === "failed") this.flow = "failed";
    else return; // new, connecting and closed change nothing of what we show
    if (this.flow === "connected") this.troubledSince = undefined;
    else this.troubledSince ??= performance.now();
    this.events.flow(this);
  }

  private adopt(channel: RTCDataChannel): void {
    this.channel = channel;
    channel.onopen = () => this.events.opened(this);
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      // A first character of code 2 marks what the old client sends itself.
      if (typeof data === "string" && data.length <= INNER_LIMIT && data.charCodeAt(0) !== 2) this.events.inner(this, data);
    };
  }

  private async offer(conference?: string): Promise<void> {
    this.offering = true;
    try {
      await this.pc.setLocalDescription();
    } finally {
      this.offering = false;
    }
    this.say("Offer", {
      type: "offer",
      sdp: this.pc.localDescription?.sdp,
      ...(conference ? { _conference: conference } : {}),
    });
  }

  /** Put our tracks on the lines for sound and picture, whoever made them. */
  private async attach(): Promise<void> {
    const free = new Set<"audio" | "video">(["audio", "video"]);
    for (const transceiver of this.pc.getTransceivers()) {
      const kind = transceiver.receiver.track.kind as "audio" | "video";
      if (transceiver.currentDirection === "stopped" || !free.delete(kind)) continue;
      if (transceiver.sender.track !== this.tracks[kind]) await transceiver.sender.replaceTrack(this.tracks[kind]);
      if (transceiver.direction !== "sendrecv") {
        transceiver.direction = "sendrecv";
        transceiver.sender.setStreams?.(this.outgoing);
      }
    }
  }

  /** A browser takes it only of a line that is described. */
  private async limit(): Promise<void> {
    const line = this.pc.getTransceivers().find((one) => one.receiver.track.kind === "video");
    if (!line || !this.described || !this.budget) return;
    const parameters = line.sender.getParameters();
    if (!parameters.encodings?.[0]) return;
    Object.assign(parameters.encodings[0], this.budget);
    await line.sender.setParameters(parameters);
  }

  private async heard(): Promise<void> {
    this.described = true;
    await this.limit().catch((error: unknown) => console.debug("peer", this.id.slice(0, 8), error));
    const waiting = this.candidates;
    this.candidates = [];
    for (const candidate of waiting) await this.pc.addIceCandidate(candidate).catch(() => undefined);
  }

  private say(type: string, body: Record<string, unknown>): void {
    this.events.send(nested(type, { To: this.id, [type]: body }));
  }

  /** What the other side sent may be wrong or late in any way: then it has no effect. */
  private queue(step: () => Promise<void>): void {
    this.work = this.work.then(async () => {
      if (this.closed) return;
      await step().catch((error: unknown) => console.debug("peer", this.id.slice(0, 8), error));
    });
  }
}

/** The session identifier of a description (RFC 8866 5.2), without its version. */
export function originOf(sdp: string): string {
  const [, username, session] = /^o=(\S+) (\S+) /m.exec(sdp) ?? [];
  return `${username} ${session}`;
}

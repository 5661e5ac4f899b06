/** Our own camera and microphone: chosen, switched on and off, and put right when a device goes away. */

import { prefer, preferences } from "../preferences";
import { Value } from "../value";
import type { LocalTracks } from "./peer";

export type Kind = "audio" | "video";

export interface MediaState extends LocalTracks {
  devices: MediaDeviceInfo[];
  /** Why there is no sound or picture though it is wanted. */
  trouble: Partial<Record<Kind, "denied" | "missing" | "busy" | "insecure">>;
}

const CONSTRAINTS: Record<Kind, MediaTrackConstraints> = {
  audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } },
};

export class Media {
  readonly state = new Value<MediaState>({ audio: null, video: null, devices: [], trouble: {} });
  private readonly turn: Record<Kind, number> = { audio: 0, video: 0 };
  private readonly refresh = () => void this.list();
  private started = false;

  /** Open what the person wants on; of no effect until `stop`. */
  async start(): Promise<void> {
    if (this.started) return;
    this.started = true;
    navigator.mediaDevices?.addEventListener("devicechange", this.refresh);
    const { audio, video } = preferences.get();
    await Promise.all([audio ? this.open("audio") : undefined, video ? this.open("video") : undefined]);
    await this.list();
  }

  stop(): void {
    this.started = false;
    navigator.mediaDevices?.removeEventListener("devicechange", this.refresh);
    for (const kind of ["audio", "video"] as const) this.shut(kind);
  }

  /** A microphone that is off keeps its device, so that it is on at once; a camera gives it back, so that its light goes out. */
  async toggle(kind: Kind, on: boolean): Promise<void> {
    prefer({ [kind]: on });
    const track = this.state.get()[kind];
    if (kind === "audio" && track) {
      track.enabled = on;
      this.state.update((now) => ({ ...now }));
    } else if (on) await this.open(kind);
    else this.shut(kind);
  }

  async choose(kind: Kind, device: string): Promise<void> {
    prefer(kind === "audio" ? { microphone: device } : { camera: device });
    if (preferences.get()[kind]) await this.open(kind);
  }

  private async open(kind: Kind): Promise<void> {
    const turn = ++this.turn[kind];
    if (this.state.get().trouble[kind]) this.state.update((now) => ({ ...now, trouble: { ...now.trouble, [kind]: undefined } }));
    const wanted = kind === "audio" ? preferences.get().microphone : preferences.get().camera;
    let track: MediaStreamTrack | undefined;
    let trouble: MediaState["trouble"][Kind];
    try {
      track = await request(kind, wanted);
    } catch (error) {
      trouble = reason(error);
    }
    // The person may have changed their mind while the browser asked.
    if (turn !== this.turn[kind]) return track?.stop();
    this.state.get()[kind]?.stop();
    if (track) track.onended = () => this.lost(kind, track);
    this.state.update((now) => ({ ...now, [kind]: track ?? null, trouble: { ...now.trouble, [kind]: trouble } }));
    await this.list();
  }

  private shut(kind: Kind): void {
    this.turn[kind] += 1;
    this.state.get()[kind]?.stop();
    this.state.update((now) => ({ ...now, [kind]: null, trouble: { ...now.trouble, [kind]: undefined } }));
  }

  /** Its plug was pulled: take another, if there is one. */
  private lost(kind: Kind, track: MediaStreamTrack): void {
    if (this.state.get()[kind] !== track) return;
    prefer(kind === "audio" ? { microphone: "" } : { camera: "" });
    void this.open(kind);
  }

  private async list(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    this.state.update((now) => ({ ...now, devices }));
  }
}

async function request(kind: Kind, device: string): Promise<MediaStreamTrack | undefined> {
  if (!navigator.mediaDevices) throw new DOMException("not over plain HTTP", "SecurityError");
  const constraints = device ? { ...CONSTRAINTS[kind], deviceId: { ideal: device } } : CONSTRAINTS[kind];
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints });
  return stream.getTracks()[0];
}

function reason(error: unknown): NonNullable<MediaState["trouble"][Kind]> {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
      return "denied";
    case "SecurityError":
      return "insecure";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    default:
      return "busy";
  }
}

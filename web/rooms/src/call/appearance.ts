/** How we appear to the others: the tracks they get, and the Status that says who we are and what is on. */

import { preferences } from "../preferences";
import type { Medium, Outgoing } from "../protocol/documents";
import { nested } from "../protocol/documents";
import type { Media } from "./media";
import type { LocalTracks } from "./peer";
import { statusOf } from "./presence";

const DELAY = 250; // ms: changes close together are told once

export interface AppearanceEvents {
  /** Muted by a moderator. */
  muted(medium: Medium): boolean;
  inside(): boolean;
  /** Send at once; false: there is no socket. */
  now(document: Outgoing): boolean;
}

export class Appearance {
  private told = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly media: Media,
    private readonly events: AppearanceEvents,
  ) {}

  tracks(): LocalTracks {
    const { audio, video } = this.media.state.get();
    return { audio: this.events.muted("audio") ? null : audio, video: this.events.muted("video") ? null : video };
  }

  /** Something of it may have changed: who is inside tells it soon. */
  changed(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.events.inside() && this.tell(), DELAY);
  }

  /** Tell it, unless it is what was told last. */
  tell(): void {
    const { name, picture } = preferences.get();
    const { audio, video } = this.tracks();
    const status = statusOf({ name, picture, audio: audio?.enabled === true, video: video !== null });
    const text = JSON.stringify(status);
    if (text === this.told) return;
    if (this.events.now(nested("Status", { Status: status }))) this.told = text;
  }

  /** Nobody knows it any more. */
  forget(): void {
    this.told = "";
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

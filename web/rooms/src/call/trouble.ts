/** Why there is no sound or picture of ours, in words. Pure. */

import type { MediaState } from "./media";

export type Trouble = MediaState["trouble"];

const WORDS: Record<NonNullable<Trouble["audio"]>, (things: string) => string> = {
  denied: (things) => `The browser does not let this page use your ${things}. You can allow it beside the address.`,
  missing: (things) => `No ${things} was found.`,
  busy: (things) => `Your ${things} cannot be used now: another program may have it.`,
  insecure: (things) => `A page may use your ${things} only over HTTPS.`,
};

/** A sentence for each trouble there is; one for both, where it is the same. */
export function troubles({ audio, video }: Trouble): string[] {
  if (audio && audio === video) return [WORDS[audio](audio === "missing" ? "microphone or camera" : "microphone and camera")];
  return [audio && WORDS[audio]("microphone"), video && WORDS[video]("camera")].filter((one) => one !== undefined);
}

/** What of it was not there before. */
export function fresh(before: Trouble, now: Trouble): Trouble {
  return {
    audio: now.audio === before.audio ? undefined : now.audio,
    video: now.video === before.video ? undefined : now.video,
  };
}
